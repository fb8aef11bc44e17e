"""A streaming encoder in a file gives, chunk by chunk, what one pass gives."""

import pytest
import torch

from asrkit.export.onnx_file import OnnxNetwork, write_onnx
from asrkit.export.search import encode_chunks
from asrkit.export.stream_network import StreamNetwork
from asrkit.models.chunks import Chunking
from tests.unit.export.test_onnx_file import TINY, VOCAB, make_model
from tests.unit.test_config import make

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


def write(path, model, size, left):
    network = StreamNetwork(model, size=size, left=left)
    write_onnx(path, network, network.example(), network.metadata())
    return network, OnnxNetwork(path)


@torch.inference_mode()
@pytest.mark.parametrize(
    ("kind", "size", "left"),
    [("default", 4, 2), ("default", 16, 1), ("relative", 3, 3), ("default", 1, 0)],
)
def test_chunk_by_chunk_is_the_whole_pass(tmp_path, kind, size, left):
    model = make_model(kind)
    network, run = write(tmp_path / "stream.onnx", model, size, left)
    for count in (1, 3):
        chunks = torch.randint(1, 60 // size, (count,))
        lens = chunks * network.frames
        feats = 3 * torch.randn(count, int(lens.max()), 80)
        enc_out, enc_lens = model.encoder.encode_chunks(
            model.normalize(feats), lens, Chunking(size, left)
        )
        wanted = model.joiner.enc_proj(enc_out)
        found = encode_chunks(run, feats, network.frames, network.start(count))
        for row, length in enumerate(enc_lens):
            torch.testing.assert_close(
                found[row, :length], wanted[row, :length], atol=1e-4, rtol=1e-4
            )


@torch.inference_mode()
def test_streams_of_a_batch_begin_when_they_like(tmp_path):
    """sherpa-onnx keeps each stream's states and puts those together that are ready."""
    network, run = write(tmp_path / "stream.onnx", make_model("default"), 4, 2)
    feats = torch.randn(2, 5 * network.frames, 80)
    alone = [
        encode_chunks(run, one[None], network.frames, network.start(1)) for one in feats
    ]
    first, second = (one.split(network.frames) for one in feats)
    states, found = network.start(1), [[], []]
    for chunk in first[:2]:
        out, *states = run(chunk[None], *states)
        found[0].append(out[0])
    states = [torch.cat(pair) for pair in zip(states, network.start(1), strict=True)]
    for one, other in zip(first[2:], second, strict=False):
        out, *states = run(torch.stack([one, other]), *states)
        for row, frames in zip(found, out, strict=True):
            row.append(frames)
    for one, whole in zip(found, alone, strict=True):
        one = torch.cat(one)
        torch.testing.assert_close(one, whole[0, : len(one)], atol=1e-5, rtol=1e-4)


@torch.inference_mode()
@pytest.mark.parametrize(("size", "left", "bins"), [(4, 2, 80), (2, 0, 81)])
def test_metadata_tell_the_shapes_of_the_states(tmp_path, size, left, bins):
    """sherpa-onnx 2.0.1 makes its first states from these numbers, so."""
    model = make(*TINY, "predictor.dim=8").model.build(bins, VOCAB)
    _, run = write(tmp_path / "stream.onnx", model, size, left)
    file = onnx.load(str(tmp_path / "stream.onnx"))
    says = {one.key: one.value for one in file.metadata_props}
    assert says.pop("model_type") == "ebranchformer"
    says = {key: int(value) for key, value in says.items()}
    attention = [3, says["num_heads"], says["left_context_len"], says["head_dim"]]
    block = [
        attention, attention,
        [3, says["intermediate_size"] // 2, says["csgu_kernel_size"] - 1],
        [3, 2 * says["hidden_size"], says["merge_conv_kernel"] - 1],
    ]  # fmt: skip
    states = [torch.zeros(shape) for shape in block * says["num_hidden_layers"]]
    states.append(torch.zeros(3, dtype=torch.int64))

    assert len(states) == len(run.network.inputs) - 1
    out, *after = run(torch.randn(3, says["T"], bins), *states)
    assert out.shape == (3, size, 12)
    assert [one.shape for one in after] == [one.shape for one in states]
    assert [one.dtype for one in after] == [one.dtype for one in states]
    assert says["decode_chunk_len"] == says["T"] == 4 * size
    for one in (*file.graph.input, *file.graph.output):
        assert one.type.tensor_type.shape.dim[0].dim_param == "N"
