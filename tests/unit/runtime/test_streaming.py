"""Streams: chunk by chunk, in packets of any size."""

import re
import shutil
from dataclasses import replace

import numpy as np
import pytest

from asrkit.pipeline.export.parts import StreamPart, expectation
from asrkit.runtime import StreamingRecognizer, read_wave
from asrkit.runtime.__main__ import main
from asrkit.utils.errors import InputError
from tests.unit.cli.conftest import make_noise
from tests.unit.runtime.conftest import CHUNKS

WINDOW, SHIFT, J = 10, 8, 8
WEIGHT = np.random.default_rng(0).standard_normal((80, J)).astype(np.float32)


def write_encoder(path, like):
    """Write an encoder with a window wider than its step and states of three kinds.

    Frames are means of four; to each is added what the states say of the chunks
    before: half their sum so far, and their count.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    def value(name, kind, *shape):
        return helper.make_tensor_value_info(name, kind, ["N", *shape])

    states = [
        ("total", TensorProto.FLOAT, (1, J)),
        ("empty", TensorProto.FLOAT, (5, 0)),
        ("count", TensorProto.INT64, ()),
    ]
    constants = {
        "weight": WEIGHT, "begin": np.array([0]), "end": np.array([SHIFT]),
        "time": np.array([1]), "last": np.array([1, 2]), "one": np.array(1),
        "group": np.array([0, SHIFT // 4, 4, J]), "half": np.float32(0.5),
        "inside": np.array([2]),
    }  # fmt: skip
    nodes = [
        ("Slice", ["x", "begin", "end", "time"], "heard"),
        ("MatMul", ["heard", "weight"], "mapped"),
        ("Reshape", ["mapped", "group"], "grouped"),
        ("ReduceMean", ["grouped", "inside"], "mean", {"keepdims": 0}),
        ("Cast", ["count"], "float", {"to": TensorProto.FLOAT}),
        ("Unsqueeze", ["float", "last"], "counted"),
        ("Add", ["mean", "total"], "sum"),
        ("Add", ["sum", "counted"], "encoder_out"),
        ("ReduceMean", ["encoder_out", "time"], "now"),
        ("Mul", ["now", "half"], "new_total"),
        ("Identity", ["empty"], "new_empty"),
        ("Add", ["count", "one"], "new_count"),
    ]
    graph = helper.make_graph(
        [
            helper.make_node(kind, inputs, [output], **dict(*rest))
            for kind, inputs, output, *rest in nodes
        ],
        "encoder",
        [value("x", TensorProto.FLOAT, WINDOW, 80)]
        + [value(name, kind, *shape) for name, kind, shape in states],
        [value("encoder_out", TensorProto.FLOAT, SHIFT // 4, J)]
        + [value(f"new_{name}", kind, *shape) for name, kind, shape in states],
        [
            numpy_helper.from_array(np.asarray(array), name)
            for name, array in constants.items()
        ],
    )
    opset = helper.make_opsetid("", 18)
    file = helper.make_model(graph, opset_imports=[opset], ir_version=8)
    facts = {one.key: one.value for one in onnx.load(str(like)).metadata_props}
    says = facts | {"T": str(WINDOW), "decode_chunk_len": str(SHIFT)}
    helper.set_model_props(file, says)
    onnx.checker.check_model(file)
    onnx.save(file, str(path))


def in_numpy(feats):
    """Do the same with features (T, F); return all chunks, (T / 4, J)."""
    total, found = np.zeros(J), []
    for count, start in enumerate(range(0, len(feats) - WINDOW + 1, SHIFT)):
        mapped = feats[start : start + SHIFT] @ WEIGHT
        frames = mapped.reshape(-1, 4, J).mean(axis=1) + total + count
        total = 0.5 * frames.mean(axis=0)
        found.append(frames)
    return np.concatenate(found)


class Collect:
    """Keeps what it is given."""

    labels = ()

    def __init__(self):
        self.frames = []

    def push(self, frames):
        self.frames.append(frames)


@pytest.fixture
def folder(exported, tmp_path):
    """An export whose only encoder for streams is that of this file."""
    folder = shutil.copytree(exported, tmp_path / "export")
    for path in folder.glob("encoder-*"):
        path.unlink()
    write_encoder(folder / "encoder-chunk.onnx", folder / "encoder.onnx")
    return folder


@pytest.mark.parametrize("size", [1600, 333, 100_000])
def test_the_same_as_in_torch(exported, in_torch, batch, waves, size):
    """There all chunks are encoded in one pass, whole, with a mask."""
    recognizer = StreamingRecognizer.load(exported)
    part = StreamPart(in_torch, size=CHUNKS.size, left=CHUNKS.left)
    *_, rows = expectation(part, batch)
    for wave, wanted in zip(waves, rows, strict=True):
        samples, rate = read_wave(wave)
        stream = recognizer.stream()
        for start in range(0, len(samples), size):
            stream.accept(samples[start : start + size], rate)
        stream.finish()
        assert len(wanted) > 2
        assert stream.search.labels == wanted


def test_8_bits(exported, waves):
    stream = StreamingRecognizer.load(exported, int8=True).stream()
    stream.accept(*read_wave(waves[3]))
    assert stream.finish().tokens
    assert stream.recognizer.encoder.path.name.endswith(".int8.onnx")


@pytest.mark.parametrize("size", [1600, 333, 100_000])
@pytest.mark.parametrize("samples", [16000, 16080, 16100, 20479, 50])
def test_chunks_and_states(folder, size, samples):
    recognizer = replace(StreamingRecognizer.load(folder), search=Collect)
    audio = make_noise(2.0, 16000)[:samples].astype(np.float32)
    stream = recognizer.stream()
    for start in range(0, samples, size):
        stream.accept(audio[start : start + size], 16000)
    stream.finish()
    found = np.concatenate(stream.search.frames)
    silence = np.zeros(200 * 160, np.float32)
    wanted = in_numpy(recognizer.fbank(np.concatenate([audio, silence])))
    # As many chunks as sherpa-onnx hears with a window and a frame of silence.
    said = (samples + 80) // 160
    assert len(found) == (said // SHIFT + 1) * (SHIFT // 4)
    np.testing.assert_allclose(found, wanted[: len(found)], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("beam", [1, 3])
def test_text_grows_and_packets_change_nothing(folder, waves, beam):
    recognizer = StreamingRecognizer.load(folder, "encoder-chunk", beam=beam)
    audio, rate = read_wave(waves[3])
    whole = recognizer.stream()
    whole.accept(audio, rate)
    wanted = whole.finish()
    stream = recognizer.stream()
    so_far = [
        len(stream.accept(audio[start : start + 700], rate).tokens)
        for start in range(0, len(audio), 700)
    ]
    assert stream.finish() == wanted
    assert 0 < so_far[len(so_far) // 2] < len(wanted.tokens)


def test_the_command_streams(folder, waves, capsys):
    assert main([str(folder), "--stream", "encoder-chunk", str(waves[2])]) == 0
    stream = StreamingRecognizer.load(folder).stream()
    stream.accept(*read_wave(waves[2]))
    text = stream.finish().text
    assert capsys.readouterr().out == f"{waves[2]}\t{text}\n"


def test_a_file_without_a_frame_is_no_stream(folder, make_wave, capsys):
    wave = make_wave("short.wav", 0.005)
    assert main([str(folder), "--stream", "encoder-chunk", str(wave)]) == 2
    assert re.match(rf"error: {wave}: .* no frame", capsys.readouterr().err)


def test_what_does_not_stream_is_refused(folder):
    with pytest.raises(InputError, match=r"no encoder\. .* there: encoder-chunk;"):
        StreamingRecognizer.load(folder, "encoder")
    shutil.copy(folder / "encoder-chunk.onnx", folder / "encoder-other.onnx")
    with pytest.raises(InputError, match="encoder-chunk, encoder-other"):
        StreamingRecognizer.load(folder)
    with pytest.raises(InputError, match=r"no encoder-chunk\..*of 8 bits there: none"):
        StreamingRecognizer.load(folder, "encoder-chunk", int8=True)
    for path in folder.glob("encoder-*"):
        path.unlink()
    with pytest.raises(InputError, match=r"which encoder is to stream.*none"):
        StreamingRecognizer.load(folder)


def test_what_is_no_packet(folder):
    stream = StreamingRecognizer.load(folder).stream()
    with pytest.raises(InputError, match="rate is 8000 Hz"):
        stream.accept(np.zeros(800), 8000)
    with pytest.raises(InputError, match="one channel"):
        stream.accept(np.zeros((800, 2)), 16000)
