"""scripts/decode.py in chunks: what a stream finds, beside what whole utterances do."""

import json

import pytest
import torch

from asrkit.cli.decoding.decode import main
from asrkit.cli.overrides import apply_overrides
from asrkit.data.audio.files import read_audio
from asrkit.data.corpora.manifests import write_manifests
from asrkit.data.corpora.scan import Utterance, scan
from asrkit.decoding.end_points import EndPoints
from asrkit.pipeline.components import COMPONENTS
from asrkit.pipeline.decode.aligner import audio_batch
from asrkit.pipeline.decode.chunks import choose_chunks
from asrkit.pipeline.decode.live import Live
from asrkit.pipeline.decode.recognizer import load_recognizer
from asrkit.pipeline.experiment import find_checkpoint
from asrkit.utils.errors import InputError
from tests.unit.pipeline.toy_encoder import ToyEncoderConfig

SECONDS = [3.0, 0.2, 1.5, 2.01]
NEVER = EndPoints(without_speech=1e9, after_speech=1e9, longest=1e9)


@pytest.fixture
def waves(make_wave):
    return [make_wave(f"{n}.wav", seconds) for n, seconds in enumerate(SECONDS)]


@pytest.fixture
def decode(chunk_dir, waves, tmp_path):
    """Return a function that decodes the waves: recogs of the folder's name."""
    utterances = [
        Utterance(id=f"u{n}", path=wave, text="AB BA") for n, wave in enumerate(waves)
    ]
    cuts, _ = scan(utterances, name="test", jobs=1)
    write_manifests({"test": cuts}, {}, tmp_path / "manifests")

    def decode(*overrides):
        paths = ["--exp-dir", chunk_dir, "--manifests", tmp_path / "manifests"]
        changes = ["data.num_workers=0", *overrides]
        assert main([*map(str, paths), "--sets", "test", *changes]) == 0
        results = chunk_dir / "decode"
        return {
            path.parent.name: path.read_text()
            for path in results.glob("*/recogs-test.txt")
        }, json.loads((results / "results.json").read_text())

    return decode


def load(folder, *changes):
    return load_recognizer(
        find_checkpoint(folder),
        torch.device("cpu"),
        change=lambda config: apply_overrides(config, list(changes)),
    )


def listen(recognizer, audio):
    """Return what a stream finds, and the encoder frames that it searched."""
    size, left = recognizer.chunks
    live = Live(recognizer, size=size, left=left, end_points=NEVER)
    advance, seen = live.search.advance, []

    def listened(enc_out, enc_lens):
        seen.append(enc_out[0])
        advance(enc_out, enc_lens)

    live.search.advance = listened
    found = [one for packet in audio.split(640) for one in live.push(packet)]
    found += live.push(audio[:0], ended=True)
    return " ".join(one.text for one in found), torch.cat(seen)


@pytest.mark.parametrize("chunk", [0.32, 0.64])
@pytest.mark.parametrize("left", ["null", "2"])
def test_a_batch_in_chunks_is_what_streams_are(chunk_dir, waves, chunk, left):
    recognizer = load(chunk_dir, f"decode.chunk={chunk}", f"decode.left={left}")
    assert recognizer.chunks == (round(chunk / 0.04), 4 if left == "null" else 2)
    audio = [read_audio(wave, 16000) for wave in waves]
    batch = audio_batch(audio, 16000)
    enc_out, enc_lens = recognizer.encode(batch)
    texts = recognizer.texts(recognizer.find(batch))
    assert len(" ".join(texts)) > 20
    for row, samples in enumerate(audio):
        text, frames = listen(recognizer, samples)
        assert text == texts[row]
        torch.testing.assert_close(
            enc_out[row, : enc_lens[row]], frames, rtol=0, atol=1e-4
        )


def test_every_chunk_size_has_results_of_its_own(decode):
    decode()
    decode("decode.chunk=0.32")
    decode("decode.chunk=0.64", "decode.left=2")
    decode("decode=ctc_greedy")
    recogs, results = decode("decode=ctc_greedy", "decode.chunk=0.32")
    names = ["greedy", "greedy_chunk_0.32", "greedy_chunk_0.64_left_2"]
    names += ["ctc_greedy", "ctc_greedy_chunk_0.32"]
    assert set(recogs) == set(names) == {one["method"] for one in results}
    for search in ("greedy", "ctc_greedy"):
        assert recogs[search] != recogs[f"{search}_chunk_0.32"]


@pytest.mark.parametrize("kind", COMPONENTS["decode"], ids=lambda kind: kind.name)
def test_the_names_of_all_searches_say_the_chunk(kind):
    assert kind(chunk=0.64).method == f"{kind().method}_chunk_0.64"
    assert kind(chunk=1.28, left=0).method == f"{kind().method}_chunk_1.28_left_0"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["decode.chunk=0.96"], r"decode\.chunk=0\.96 was not met.*0\.32, 0\.64"),
        (["decode.chunk=0.65"], r"decode\.chunk=0\.65 is no multiple of a frame"),
        (["decode.chunk=0.32", "decode.left=3"], r"decode\.left=3 was not met.*2, 4"),
        (["decode.left=2"], r"give decode\.chunk, too"),
        (["decode.chunk=-1"], r"decode\.chunk must be above 0, got -1"),
        (["decode.chunk=nan"], r"decode\.chunk must be above 0, got nan"),
    ],
)
def test_chunks_that_the_model_has_not_met(chunk_dir, changes, message):
    with pytest.raises(InputError, match=message):
        load(chunk_dir, *changes)


def test_an_encoder_without_chunks():
    search = COMPONENTS["decode"][0](chunk=0.64)
    with pytest.raises(InputError, match=r"\(ToyEncoderConfig\) has no chunks"):
        choose_chunks(search, ToyEncoderConfig(), 0.02)
