"""Files that are spoiled after preparation, and workers that hang or die."""

import itertools
import multiprocessing
import os
import subprocess
from dataclasses import dataclass

import numpy as np
import pytest
import soundfile
import torch
from lhotse import CutSet
from lhotse.audio import AudioSource

from asrkit.data.audio.unreadable import UnreadableError
from asrkit.data.batches.batch import collate
from asrkit.data.batches.cuts import CutList, plan_cuts, plan_once
from asrkit.data.batches.loader import make_loader
from asrkit.data.batches.stored_features import store_features
from asrkit.data.batches.workers import Reader, read_batches
from asrkit.data.corpora.manifests import load_cuts, write_manifests
from asrkit.data.corpora.scan import Utterance, scan
from asrkit.data.features.fbank import FeaturesConfig
from asrkit.data.features.wave_augment import WaveAugmentConfig
from asrkit.data.left_out import LeftOutList
from asrkit.text.char import CharTokenizerConfig

RATE = 16000
IDS = [str(i) for i in range(8)]


@dataclass
class Command(AudioSource):
    """Audio that a command prints; one that a manifest names is never run."""

    command: str = ""

    def load_audio(self, *arguments, **options):
        done = subprocess.run(self.command, shell=True, capture_output=True, check=True)
        source = AudioSource("memory", self.channels, done.stdout)
        return source.load_audio(*arguments, **options)


@pytest.fixture
def cuts(tmp_path):
    rng = np.random.default_rng(0)
    utterances = []
    for index, id in enumerate(IDS):
        path = tmp_path / f"{id}.wav"
        samples = 0.1 * rng.standard_normal(RATE // 2 + 800 * index)
        soundfile.write(path, samples, RATE, subtype="FLOAT")
        utterances.append(Utterance(id=id, path=path, text="A B"))
    return scan(utterances, name="x")[0]


@pytest.fixture
def tokenizer():
    return CharTokenizerConfig().train(["A B"])


def spoil(path, kind):
    samples, _ = soundfile.read(path)
    if kind == "gone":
        path.unlink()
    elif kind == "truncated":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 4])
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "text":
        path.write_text("no audio\n" * 1000)
    elif kind == "nan":
        samples[100] = np.nan
        soundfile.write(path, samples, RATE, subtype="FLOAT")
    elif kind == "noise":
        noise = np.random.default_rng(1).uniform(-1, 1, len(samples))
        soundfile.write(path, noise, RATE, subtype="FLOAT")
    elif kind == "zeros":
        soundfile.write(path, 0 * samples, RATE, subtype="FLOAT")
    elif kind == "rate":
        soundfile.write(path, np.repeat(samples, 3), 3 * RATE, subtype="FLOAT")
    elif kind == "never":
        path.unlink()
        os.mkfifo(path)


REASONS = {
    "gone": "no such file",
    "truncated": "its length is not that in the manifest",
    "empty": "cannot be decoded",
    "text": "cannot be decoded",
    "nan": "not numbers",
    "noise": "its RMS is",
    "zeros": "its RMS is",
    "rate": "its length is not that in the manifest",
}


def read_once(cuts, tokenizer, left_out, **options):
    settings = {"num_workers": 0, "augment": None, "stored_features": False} | options
    planned = plan_once(cuts, max_duration=2.0)
    loader = make_loader(
        planned, tokenizer, RATE, prefetch=2, left_out=left_out, **settings
    )
    return [batch for batch, _ in loader]


def ids_of(batches):
    return [id for batch in batches for id in batch.ids]


@pytest.mark.parametrize("kind", REASONS)
@pytest.mark.parametrize("speed", [1.0, 1.1])
def test_a_file_that_is_spoiled_is_left_out_and_listed(
    cuts, tokenizer, tmp_path, kind, speed
):
    whole = read_once(cuts, tokenizer, LeftOutList(), augment=speeds(speed))
    spoil(tmp_path / "5.wav", kind)
    left_out = LeftOutList(tmp_path / "list.tsv")
    rest = read_once(cuts, tokenizer, left_out, augment=speeds(speed))
    (row,) = left_out.rows.values()
    assert (row.id, row.path) == ("5", str(tmp_path / "5.wav"))
    assert REASONS[kind] in row.reason
    assert "\n" not in row.reason
    assert (left_out.tried, left_out.failed) == (8, 1)
    assert ids_of(rest) == [id for id in ids_of(whole) if id != "5"]
    rows = {id: row for b in whole for id, row in zip(b.ids, b.signal, strict=True)}
    for batch in rest:
        for id, signal in zip(batch.ids, batch.signal, strict=True):
            assert torch.equal(signal, rows[id][: len(signal)])


def speeds(factor):
    return WaveAugmentConfig(speeds=[factor]).build()


def test_the_file_of_noise_is_named_when_that_is_spoiled(cuts, tokenizer, tmp_path):
    noise = tmp_path / "noise"
    noise.mkdir()
    for name in ("a", "b"):
        hum = 0.3 * np.sin(np.arange(4 * RATE) * 0.5)
        soundfile.write(noise / f"{name}.wav", hum, RATE, subtype="FLOAT")
    augment = WaveAugmentConfig(
        speeds=[1.0], noise_dir=str(noise), noise_probability=1.0
    ).build()
    spoil(noise / "a.wav", "gone")
    left_out = LeftOutList(max_share=1.0)
    batches = read_once(cuts, tokenizer, left_out, augment=augment)
    assert left_out.rows
    assert batches
    for row in left_out.rows.values():
        assert (row.path, row.reason) == (str(noise / "a.wav"), "no such file")


def test_stored_features_that_are_spoiled(cuts, tokenizer, tmp_path):
    write_manifests({"x": cuts}, {}, tmp_path)
    store_features(
        tmp_path, "x", tmp_path / "fbank", FeaturesConfig().build(), speeds=[1.0],
        max_duration=2.0, device=torch.device("cpu"),
    )  # fmt: skip
    stored = load_cuts(tmp_path / "fbank", "x").to_eager()
    paths = sorted((tmp_path / "fbank").rglob("*.npy"))
    paths[0].unlink()
    paths[1].write_bytes(paths[1].read_bytes()[:1000])
    feats = np.load(paths[2])
    np.save(paths[2], feats * np.nan)
    left_out = LeftOutList()
    batches = read_once(stored, tokenizer, left_out, stored_features=True)
    assert [row.path for row in left_out.rows.values()] == [
        str(p) for p in paths[2::-1]
    ]
    assert len(ids_of(batches)) == 5


def test_a_strict_reader_names_the_file(cuts, tokenizer, tmp_path):
    spoil(tmp_path / "5.wav", "gone")
    with pytest.raises(UnreadableError, match=r"audio of 5 .*5\.wav: no such file"):
        collate(cuts, tokenizer, RATE, stored_features=False)


def endless(cuts, tokenizer, left_out, count, num_workers, timeout=0.0, prefetch=2):
    plan = plan_cuts(
        CutList(cuts), max_duration=2.0, max_cuts=None, num_buckets=2, seed=3
    )
    reader = Reader(tokenizer, RATE, None, False, ())
    stream = read_batches(
        plan, reader, num_workers=num_workers, prefetch=prefetch, timeout=timeout,
        left_out=left_out,
    )  # fmt: skip
    found = list(itertools.islice(stream, count))
    stream.close()
    return found


def test_batches_of_which_nothing_is_left_keep_their_place(cuts, tokenizer, tmp_path):
    whole = endless(cuts, tokenizer, LeftOutList(), 6, 0)
    gone = whole[1][0].ids
    for id in gone:
        spoil(tmp_path / f"{id}.wav", "gone")
    rest = endless(cuts, tokenizer, LeftOutList(), 6, 0)
    assert rest[1][0] is None
    assert [position for _, position in rest] == [position for _, position in whole]
    for (batch, _), (other, _) in zip(rest, whole, strict=True):
        ids = batch.ids if batch else []
        assert ids == [id for id in other.ids if id not in gone]


def test_what_never_comes_is_left_out_and_the_rest_keeps_its_order(
    cuts, tokenizer, tmp_path
):
    whole = endless(cuts, tokenizer, LeftOutList(), 9, 0)
    spoil(tmp_path / "5.wav", "never")
    left_out = LeftOutList()
    rest = endless(cuts, tokenizer, left_out, 9, 2, timeout=1.0)
    assert list(left_out.rows) == ["5"]
    assert "did not end in time" in left_out.rows["5"].reason
    assert left_out.failed >= 2  # in the later epochs without being tried again
    for (batch, position), (other, at) in zip(rest, whole, strict=True):
        ids = batch.ids if batch else []
        assert ids == [id for id in other.ids if id != "5"]
        assert position == at
    assert not multiprocessing.active_children()


def test_a_disk_that_is_slow_is_waited_for(cuts, tokenizer):
    for cut in cuts:
        path = cut.recording.sources[0].source
        source = Command("shar", [0], "", command=f"sleep 0.4; cat {path}")
        cut.recording.sources[0] = source
    left_out = LeftOutList()
    # A batch takes longer than the limit, an utterance does not.
    batches = read_once(cuts, tokenizer, left_out, num_workers=1, timeout=0.8)
    assert max(len(batch.ids) for batch in batches) > 2
    assert sorted(ids_of(batches)) == IDS
    assert not left_out.rows


def test_a_command_in_a_manifest_is_listed_and_not_run(cuts, tokenizer, tmp_path):
    write_manifests({"x": cuts}, {}, tmp_path)
    eager = {cut.id: cut for cut in load_cuts(tmp_path, "x")}
    source = AudioSource("command", [0], f"touch {tmp_path}/run; cat {tmp_path}/5.wav")
    eager["5"].recording.sources[0] = source
    write_manifests({"y": CutSet.from_cuts(eager.values())}, {}, tmp_path)
    left_out = LeftOutList()
    read_once(load_cuts(tmp_path, "y"), tokenizer, left_out)
    (row,) = left_out.rows.values()
    assert (row.id, row.reason) == ("5", "is a command, and none is run")
    assert not (tmp_path / "run").exists()


def test_what_kills_workers_is_left_out_at_the_second_time(cuts, tokenizer, caplog):
    eager = {cut.id: cut for cut in cuts}
    killer = Command("shar", [0], "", command="kill -9 $PPID; sleep 1")
    eager["5"].recording.sources[0] = killer
    left_out = LeftOutList()
    batches = read_once(
        CutSet.from_cuts(eager.values()), tokenizer, left_out, num_workers=2,
        timeout=1.0,
    )  # fmt: skip
    assert list(left_out.rows) == ["5"]
    assert "died" in left_out.rows["5"].reason
    assert caplog.text.count("a worker has died") == 2
    assert sorted(ids_of(batches)) == [id for id in IDS if id != "5"]


def test_faults_of_the_program_are_not_taken_for_faults_of_the_data(cuts, tokenizer):
    def broken(batch):
        raise RuntimeError("a fault of the program")

    with pytest.raises(RuntimeError, match="a fault of the program"):
        read_once(
            cuts, tokenizer, LeftOutList(), num_workers=1, attach=[broken], timeout=9.0
        )
