"""A corpus with spoiled files: all commands finish, and list these and no others."""

import json
import os
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest
import soundfile

from tests.integration.conftest import ONE_THREAD, ROOT, SETTINGS, run, speak

pytestmark = pytest.mark.slow

HOURS_2 = np.zeros(2 * 3600 * 8000, dtype=np.int16)


class Part:
    """Adds utterances to a part of a corpus in LibriSpeech layout."""

    def __init__(self, corpus, name):
        (self.transcript,) = (corpus / name).rglob("*.trans.txt")
        self.speaker = self.transcript.parts[-3]
        self.rng = np.random.default_rng(7)

    def path(self, number, suffix="flac"):
        return self.transcript.parent / f"{self.speaker}-1-{number:04}.{suffix}"

    def add(self, number, text="A B C", suffix="flac"):
        path = self.path(number, suffix)
        with self.transcript.open("a") as file:
            file.write(f"{path.stem} {text}\n")
        soundfile.write(path, speak("A B C", self.rng), 16000)
        return path


def spoil_before(part):
    """Add what preparation finds (as it is read), and what the data report finds."""
    unusable = [part.add(100 + i) for i in range(4)]
    unusable[0].write_bytes(unusable[0].read_bytes()[:9000])
    unusable[1].write_bytes(b"")
    unusable[2].write_text("this is no sound\n" * 100)
    unusable[3].unlink()
    nan = part.add(104, suffix="wav")
    samples, _ = soundfile.read(nan)
    samples[500] = np.nan
    soundfile.write(nan, samples, 16000, subtype="FLOAT")
    fifo = part.add(105)
    fifo.unlink()
    os.mkfifo(fifo)
    no_line = part.path(106)
    soundfile.write(no_line, samples[:400], 16000)
    unusable += [nan, fifo, no_line]
    hours, rate = part.add(110), part.add(112, "A B C A B C", suffix="wav")
    soundfile.write(hours, HOURS_2, 8000)
    samples, _ = soundfile.read(rate)
    soundfile.write(rate, samples, 192000)  # it says so, but it is 16000
    long_text = part.add(111, " ".join("ABC"[i % 3] for i in range(20000)))
    unfit = [hours, long_text, rate]
    other_rate = part.add(120)  # nothing is wrong with it
    samples, _ = soundfile.read(other_rate)
    soundfile.write(other_rate, samples[::2], 8000)
    return names(unusable), names(unfit)


def names(paths):
    return sorted(path.stem for path in paths)


def spoil_after(paths):
    """Spoil files that preparation has found good."""
    gone, cut, nan, noise, fifo = paths
    gone.unlink()
    cut.write_bytes(cut.read_bytes()[:5000])
    samples, _ = soundfile.read(noise)
    soundfile.write(nan, samples * np.nan, 16000, format="WAV", subtype="FLOAT")
    samples = np.random.default_rng(0).uniform(-1, 1, len(samples))
    soundfile.write(noise, samples, 16000)
    fifo.unlink()
    os.mkfifo(fifo)


def listed(path):
    rows = [line.split("\t") for line in path.read_text().splitlines()]
    assert len({len(row) for row in rows}) == 1
    column = rows[0].index("id")
    return sorted(row[column] for row in rows[1:])


@pytest.fixture(scope="module")
def spoiled(corpus, tmp_path_factory):
    """Spoil a copy of the corpus, prepare it, train on it and spoil more meanwhile."""
    folder = tmp_path_factory.mktemp("spoiled")
    shutil.copytree(corpus, folder / "corpus")
    train, test = (Part(folder / "corpus", name) for name in ("train", "test"))
    expected = {"train": spoil_before(train), "test": spoil_before(test)}
    later = {
        "train": [train.add(200 + i) for i in range(10)],
        "test": [test.add(200 + i) for i in range(5)],
        "dev": [Part(folder / "corpus", "dev").path(1)],
    }
    manifests = folder / "manifests"
    done = run(
        "scripts/prepare.py", "--librispeech", folder / "corpus", "--out-dir",
        manifests,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    spoil_after(later["train"][:5])

    def spoil():
        spoil_after(later["train"][5:])
        later["dev"][0].unlink()

    status, log = train_while(spoil, manifests, folder / "exp")
    assert status == 0, log
    assert "all workers are started anew" in log
    spoil_after(later["test"])
    return folder, expected, {part: names(paths) for part, paths in later.items()}


def train_while(spoil, manifests, exp_dir):
    """Train, and do something after the first epoch; return status and log."""
    command = [
        sys.executable, ROOT / "scripts/train.py", f"data.manifests={manifests}",
        f"exp_dir={exp_dir}", *SETTINGS, "num_epochs=8", "data.num_workers=2",
        "data.read_timeout=3", "data.max_duration=8", "data.prefetch=1",
        "trainer.validate_every=2",
    ]  # fmt: skip
    environment = {**os.environ, **ONE_THREAD}
    log = manifests.parent / "log"
    with (
        log.open("w") as file,
        subprocess.Popen(command, stderr=file, env=environment) as process,
    ):
        while not (exp_dir / "train/checkpoints/epoch-1.pt").exists():
            assert process.poll() is None, log.read_text()
            time.sleep(0.05)
        spoil()
        status = process.wait(400)
    return status, log.read_text()


def test_preparation_lists_what_cannot_be_read(spoiled):
    folder, expected, _ = spoiled
    for part, (unusable, _) in expected.items():
        assert listed(folder / "manifests" / f"left_out_{part}.tsv") == unusable
    assert not (folder / "manifests" / "left_out_dev.tsv").exists()


def test_training_lists_what_does_not_fit_and_what_is_spoiled_meanwhile(spoiled):
    folder, expected, later = spoiled
    assert listed(folder / "exp" / "left_out.tsv") == expected["train"][1]
    assert (folder / "exp" / "train" / "done").exists()
    stage = folder / "exp" / "train"
    assert listed(stage / "unreadable_train.tsv") == later["train"]
    assert listed(stage / "unreadable_dev.tsv") == later["dev"]
    assert "did not end in time" in (stage / "unreadable_train.tsv").read_text()


def test_decoding_counts_what_is_spoiled_as_deleted(spoiled):
    folder, expected, later = spoiled
    exp_dir = folder / "exp"
    done = run("scripts/decode.py", "--exp-dir", exp_dir, "--sets", "test")
    assert done.returncode == 0, done.stderr
    results = exp_dir / "decode" / "results.json"
    (entry,) = json.loads(results.read_text())
    bad = sorted([*later["test"], expected["test"][1][0]])  # and that of two hours
    assert bad[0].endswith("0110")
    assert listed(exp_dir / "decode" / "greedy" / "unreadable-test.tsv") == bad
    assert entry["unreadable"] == len(bad)
    assert f"{len(bad)} of these {entry['utterances']} utterances" in done.stderr
    recogs = (exp_dir / "decode" / "greedy" / "recogs-test.txt").read_text()
    for name in bad:
        assert f"{name}:\tref=['A', 'B', 'C']\n{name}:\thyp=[]\n" in recogs


def test_a_disk_that_has_gone_ends_training_with_one_message(corpus, tmp_path):
    shutil.copytree(corpus, tmp_path / "corpus")
    part = Part(tmp_path / "corpus", "train")
    for number in range(300, 320):
        part.add(number)
    manifests = tmp_path / "manifests"
    done = run(
        "scripts/prepare.py", "--librispeech", tmp_path / "corpus", "--out-dir",
        manifests,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    status, log = train_while(
        lambda: shutil.rmtree(tmp_path / "corpus" / "train"), manifests,
        tmp_path / "exp",
    )  # fmt: skip
    assert status == 2, log
    assert "could not be read, listed in" in log
    assert "Traceback" not in log
