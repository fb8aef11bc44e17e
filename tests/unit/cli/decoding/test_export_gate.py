"""The gate of scripts/export.py: wrong files do not get out, unless one insists."""

import json
import re
from dataclasses import replace

import pytest
import torch

from asrkit.cli.decoding import export as command
from asrkit.data.audio.files import read_audio
from asrkit.export import onnx_file
from asrkit.export.networks import DecoderNetwork, EncoderNetwork, JoinerNetwork
from asrkit.export.stream_network import StreamNetwork
from asrkit.pipeline.decode.aligner import audio_batch
from asrkit.pipeline.decode.recognizer import load_recognizer
from asrkit.pipeline.experiment import AVERAGE
from asrkit.pipeline.export import export as pipeline
from asrkit.pipeline.export import measure, parts, small
from asrkit.utils.errors import InputError
from tests.unit.cli.conftest import make_run
from tests.unit.cli.decoding.exporting import (
    MONOTONIC,
    make_dev,
    names,
    no_sherpa,
    run,
    stream_dir,
    waves,
)

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

__all__ = ["no_sherpa", "run", "stream_dir", "waves"]  # fixtures

pytestmark = pytest.mark.usefixtures("no_sherpa")
STREAMING = ["--streaming", "--chunk", "0.16"]


class WithoutStatistics(EncoderNetwork):
    def forward(self, x, x_lens):
        return super().forward(
            x / self.model.feature_scale + self.model.feature_mean, x_lens
        )


class Reversed(DecoderNetwork):
    def forward(self, y):
        return super().forward(y.flip(1))


class UnkIsBlank(JoinerNetwork):
    def forward(self, encoder_out, decoder_out):
        scores = super().forward(encoder_out, decoder_out)
        return scores[:, [2, 1, 0, *range(3, self.model.vocab_size)]]


class Swapped(StreamNetwork):
    def forward(self, x, *states):
        out, key, value, *rest = super().forward(x, *states)
        return out, value, key, *rest


WRONG = {
    WithoutStatistics: "transducer, onnxruntime, float",
    Reversed: "transducer, onnxruntime, float",
    UnkIsBlank: "transducer, onnxruntime, float",
    Swapped: "streaming 0.16 s, left 2, onnxruntime, float",
}


@pytest.fixture
def tamper(monkeypatch):
    """Return a function that has another network written in place of one."""

    def tamper(wrong):
        def write(path, network, inputs, metadata):
            if isinstance(network, wrong.__base__):
                other = wrong.__new__(wrong)
                other.__dict__ = network.__dict__
                network = other
            onnx_file.write_onnx(path, network, inputs, metadata)

        monkeypatch.setattr(pipeline, "write_onnx", write)

    return tamper


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("by", ["values", "tokens"])
def test_a_wrong_network_is_refused(run, tmp_path, monkeypatch, tamper, wrong, by):
    """By what it gives, and, if nobody looked at that, by what it finds."""
    tamper(wrong)
    part = WRONG[wrong]
    message = rf"{part}: not equal to the model: values differ by \d"
    if by == "tokens":
        monkeypatch.setattr(measure, "apart", lambda *_: 0.0)
        monkeypatch.setattr(measure, "largest_difference", lambda *_: 0.0)
        message = (
            rf"{part}: \d+ of \d+ tokens \(.*\) are others.*: u\d: '.*', the model"
        )
    earlier = tmp_path / "export" / "joiner.onnx"
    earlier.parent.mkdir()
    earlier.write_text("of an earlier export")
    with pytest.raises(InputError, match=message):
        run(*(STREAMING if "streaming" in part else ()))
    assert names(earlier.parent) == {"joiner.onnx"}
    assert earlier.read_text() == "of an earlier export"


def test_what_is_not_equal_can_be_wanted(run, tamper, monkeypatch):
    tamper(UnkIsBlank)
    out, log = run("--allow-difference")
    content = json.loads((out / "parity.json").read_text())
    assert not content["equal"]
    values, tokens = content["differences_allowed"]
    assert values.startswith("transducer, onnxruntime, float: not equal to the model")
    assert "tokens" in tokens
    assert {values, tokens} <= set(log)
    assert log[-1] == f"exported with differences, as you allow: {out}"
    _, found = content["variants"][:2]
    # All are in the file, a line each in the log, and the first of them in the message.
    assert {case["id"] for case in found["cases"]} == {"u0", "u1", "u2", "u3"}
    for case in found["cases"]:
        assert case["found"] != case["model"]
        assert any(
            f"{case['id']}: {case['found']!r}, the model {case['model']!r}" in line
            for line in log
        )
    with pytest.raises(InputError, match="is not the model"):
        run("--check")


def test_other_times_are_refused(run, monkeypatch):
    def late(*args):
        return [[(label, time + 1) for label, time in one] for one in search(*args)]

    search = parts.search_each
    monkeypatch.setattr(parts, "search_each", late)
    with pytest.raises(InputError, match=r"transducer, .* are found at other times"):
        run()


def test_8_bits_may_not_cost_words(run, monkeypatch):
    """With random weights they change the text: all blocks in float do not help."""

    def deaf(self, folder, bits):
        found = onnxruntime(self, folder, bits)
        return replace(found, rate=found.rate + 999) if bits == "int8" else found

    onnxruntime = measure.Measure.onnxruntime
    monkeypatch.setattr(measure.Measure, "onnxruntime", deaf)
    out, log = run("--int8", "--allow-difference")
    assert any("with all in float WER is" in line for line in log)
    files = {"encoder.int8.onnx", "joiner.int8.onnx", "ctc.int8.onnx"}
    assert files <= names(out)
    content = json.loads((out / "parity.json").read_text())
    assert not content["equal"]
    transducer, ctc = content["differences_allowed"]
    assert re.match(
        r"transducer, onnxruntime, int8: WER 1\d+\.\d+ instead of .*, 0\.2 points",
        transducer,
    )
    assert ctc.startswith("ctc, onnxruntime, int8: WER")
    assert {one["bits"] for one in content["variants"]} == {"float", "int8"}


def spoil(model):
    """Make the second block's feed-forward one that 8 bits cannot hold.

    One of its hidden units is as large as to take all of the 256 steps, and weighs
    nothing.
    """
    first = model.encoder.blocks[1].first_ff
    first.up.bias[0] = 1e5
    first.down.weight.normal_(std=3.0)
    first.down.weight[:, 0] = 0.0


def test_the_block_that_8_bits_hurt_stays_in_float(
    tmp_path, waves, capsys, monkeypatch
):
    settings = [
        "encoder.num_layers=3",
        "encoder.dim=16",
        "encoder.ff_dim=32",
        MONOTONIC,
    ]
    (tmp_path / "exp").mkdir()
    exp = make_run(tmp_path / "exp", *settings, change=spoil)
    recognizer = load_recognizer(
        exp / AVERAGE, torch.device("cpu"), change=pipeline.search_greedily
    )
    batch = audio_batch([read_audio(wave, 16000) for wave in waves], 16000)
    texts = recognizer.texts(recognizer.find(batch))
    manifests = make_dev(tmp_path, waves, texts)
    paths = ["--exp-dir", exp, "--manifests", manifests, "--out", tmp_path / "export"]
    arguments = [*map(str, paths), "--int8", "--allow-difference"]
    monkeypatch.setattr(small, "POINTS", 60.0)  # random weights are easily disturbed
    assert command.main(arguments) == 0
    log = capsys.readouterr().err.splitlines()
    content = json.loads((tmp_path / "export" / "parity.json").read_text())
    kept = content["exported"]["kept_in_float"]
    assert kept == {"transducer": ["blocks.1"]}
    assert any("blocks.1 stays in float" in line for line in log)
