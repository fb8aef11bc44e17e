"""sherpa-onnx finds with exported files what asrkit finds."""

import json
import subprocess
import sys

import pytest
import torch

from asrkit.cli.decoding import export as command
from asrkit.data.audio.files import read_audio
from asrkit.decoding.ctc_greedy import CtcGreedySearch
from asrkit.decoding.greedy import GreedySearch
from asrkit.export import sherpa
from asrkit.models.streaming import Streams
from asrkit.pipeline.decode.aligner import audio_batch
from asrkit.pipeline.decode.recognizer import load_recognizer
from asrkit.pipeline.experiment import AVERAGE
from asrkit.pipeline.export.export import search_greedily
from asrkit.text.bpe import BpeTokenizerConfig
from asrkit.utils.errors import InputError
from tests.unit.cli.conftest import make_run
from tests.unit.cli.decoding.exporting import (
    MONOTONIC,
    make_dev,
    run,
    stream_dir,
    waves,
)

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("sherpa_onnx")

__all__ = ["run", "stream_dir", "waves"]  # fixtures

SIZE, LEFT = 4, 2
STREAMING = ["--streaming", "--chunk", "0.16", "--left", str(LEFT)]

# Its models end the process where something is wrong with a file. The last example of
# docs/export.md, but for packets.
SCRIPT = """
import json, sys
import sherpa_onnx, soundfile
folder, encoder, frames, *waves = sys.argv[1:]
common = {"tokens": f"{folder}/tokens.txt", "num_threads": 1}
files = {name: f"{folder}/{name}.onnx" for name in ("encoder", "decoder", "joiner")}

def whole(recognizer):
    streams = []
    for wave in waves:
        stream = recognizer.create_stream()
        samples, rate = soundfile.read(wave, dtype="float32")
        stream.accept_waveform(rate, samples)
        streams.append(stream)
    recognizer.decode_streams(streams)
    results = [stream.result for stream in streams]
    return [[one.tokens, one.timestamps, one.text] for one in results]

def live(recognizer):
    streams, rest = [], []
    for wave in waves:
        samples, rate = soundfile.read(wave, dtype="float32")
        silence = [0.0] * ((int(frames) + 1) * rate // 100)
        rest.append([*samples, *silence])
        streams.append(recognizer.create_stream())
    while any(rest):
        for place, stream in enumerate(streams):
            stream.accept_waveform(rate, rest[place][:700 + 300 * place])
            rest[place] = rest[place][700 + 300 * place:]
            if not rest[place]:
                stream.input_finished()
        while ready := [one for one in streams if recognizer.is_ready(one)]:
            recognizer.decode_streams(ready)
    return [
        [recognizer.tokens(one), recognizer.timestamps(one), recognizer.get_result(one)]
        for one in streams
    ]

make = sherpa_onnx.OfflineRecognizer
found = [
    whole(make.from_transducer(**files, **common)),
    whole(make.from_zipformer_ctc(model=f"{folder}/ctc.onnx", **common)),
    live(sherpa_onnx.OnlineRecognizer.from_transducer(
        **{**files, "encoder": f"{folder}/{encoder}"}, **common)),
]
print(json.dumps(found))
"""


@torch.inference_mode()
def test_sherpa_onnx_finds_the_same(run, stream_dir, waves):
    out, log = run(*STREAMING)
    assert sum("sherpa-onnx  float" in line for line in log) == 3
    name = f"encoder-chunk0.16-left{LEFT}.onnx"
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, out, name, str(4 * SIZE), *waves],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    whole, ctc, live = json.loads(done.stdout)
    recognizer = load_recognizer(
        stream_dir / AVERAGE, torch.device("cpu"), change=search_greedily
    )
    audio = [read_audio(wave, 16000) for wave in waves]
    encoded = recognizer.encode(audio_batch(audio, 16000))
    same(recognizer, whole, GreedySearch(1)(recognizer.model, *encoded))
    same(recognizer, ctc, CtcGreedySearch()(recognizer.model, *encoded))
    for found, samples in zip(live, audio, strict=True):
        same(recognizer, [found], listen(recognizer, samples))


def listen(recognizer, samples):
    """Return what asrkit finds in a stream, chunk by chunk."""
    model, chunk = recognizer.model, 4 * SIZE
    silence = torch.zeros((chunk + 1) * 160)
    feats, _ = recognizer.features(
        torch.cat([samples, silence])[None], torch.tensor([len(samples) + len(silence)])
    )
    streams = Streams(model.encoder, 1, size=SIZE, left=LEFT)
    whole = (feats.shape[1] - 1) // chunk * chunk  # more frames than a chunk have to be
    out = streams.push({0: model.normalize(feats[0, :whole])})[0]
    state = GreedySearch(1).start(model, 1)
    state.advance(out[None], torch.tensor([len(out)]))
    return state.found()


def same(recognizer, found, expected):
    tokenizer = recognizer.tokenizer
    for (tokens, times, text), nbest in zip(found, expected, strict=True):
        pieces = [tokenizer.tokens[label] for label in nbest[0].tokens]
        assert len(pieces) > 2
        assert [piece.replace(" ", "▁") for piece in tokens] == pieces
        assert times == pytest.approx([0.04 * one for one in nbest[0].frames])
        assert text.split() == nbest[0].text(tokenizer).split()


def test_a_file_that_sherpa_onnx_refuses_is_named(tmp_path):
    """It ends its process; ours goes on."""
    onnx = tmp_path / "joiner.onnx"
    onnx.write_bytes(b"no file of ONNX")
    files = dict.fromkeys(["encoder", "decoder", "joiner", "tokens"], str(onnx))
    call = sherpa.SherpaCall("OnlineRecognizer", "from_transducer", files)
    with pytest.raises(InputError, match=r"sherpa-onnx does not run joiner\.onnx, .*"):
        sherpa.find(call, [torch.zeros(1600)], 16000, ["<blk>"])


HOTWORDS = """
import sys
import sherpa_onnx, soundfile
folder, wave, *hotwords = sys.argv[1:]
files = {name: f"{folder}/{name}.onnx" for name in ("encoder", "decoder", "joiner")}
recognizer = sherpa_onnx.OfflineRecognizer.from_transducer(
    **files, tokens=f"{folder}/tokens.txt", decoding_method="modified_beam_search",
    modeling_unit="bpe", bpe_vocab=f"{folder}/bpe.vocab",
    hotwords_file=hotwords[0] if hotwords else "", hotwords_score=6.0,
)
stream = recognizer.create_stream()
samples, rate = soundfile.read(wave, dtype="float32")
stream.accept_waveform(rate, samples)
recognizer.decode_stream(stream)
print(stream.result.text)
"""


def test_hotwords_are_cut_with_bpe_vocab(tmp_path, make_wave):
    words = "BAT CAT RAT MAT TAB CAB ACT TRAM CART MART"
    tokenizer = BpeTokenizerConfig(vocab_size=25).train([words, "BAT CAT", "CART RAT"])
    (tmp_path / "exp").mkdir()
    exp = make_run(tmp_path / "exp", MONOTONIC, tokenizer=tokenizer)
    wave = make_wave("long.wav", 4.0)
    manifests = make_dev(tmp_path, [wave], [words])
    out = tmp_path / "export"
    paths = ["--exp-dir", exp, "--manifests", manifests, "--out", out]
    assert command.main([*map(str, paths)]) == 0
    (tmp_path / "hotwords.txt").write_text("CART\n")

    def hear(*hotwords):
        done = subprocess.run(
            [sys.executable, "-c", HOTWORDS, out, wave, *hotwords],
            capture_output=True, text=True, check=True, timeout=60,
        )  # fmt: skip
        return done.stdout.split()

    assert "CART" not in hear()
    assert "CART" in hear(tmp_path / "hotwords.txt")


@pytest.mark.slow
def test_bytes_are_pieces_there_too(tmp_path, make_wave):
    config = BpeTokenizerConfig(vocab_size=275, byte_fallback=True)
    tokenizer = config.train(["我爱你好今天天气"])
    (tmp_path / "exp").mkdir()
    exp = make_run(tmp_path / "exp", MONOTONIC, tokenizer=tokenizer)
    wave = make_wave("long.wav", 4.0)
    manifests = make_dev(tmp_path, [wave], ["我"])
    out = tmp_path / "export"
    paths = ["--exp-dir", exp, "--manifests", manifests, "--out", out]
    assert command.main([*map(str, paths)]) == 0
    variants = json.loads((out / "parity.json").read_text())["variants"]
    (theirs,) = (
        one
        for one in variants
        if (one["part"], one["engine"]) == ("transducer", "sherpa-onnx")
    )
    assert theirs["tokens"] > 20
    assert theirs["different"] == 0
