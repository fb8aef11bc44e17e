"""Networks in ONNX files give what they give in torch, whatever batch and length."""

import pytest
import torch

from asrkit.export.networks import (
    CtcNetwork,
    DecoderNetwork,
    EncoderNetwork,
    JoinerNetwork,
)
from asrkit.export.onnx_file import OnnxNetwork, products, quantize, write_onnx
from asrkit.utils.errors import InputError
from tests.unit.test_config import make

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

TINY = [
    "encoder=conformer_2m", "encoder.num_layers=2", "encoder.dim=16",
    "encoder.ff_dim=16", "encoder.num_heads=2", "joiner.dim=12",
]  # fmt: skip
KINDS = {
    "default": ["predictor.dim=8"],
    "relative": ["predictor.dim=8", "encoder.positions=RELATIVE"],
    "bigram": ["predictor=feed_forward", "predictor.dim=8"],
    "hat": ["predictor.dim=8", "joiner.hat=true"],
}
VOCAB = 7
NETWORKS = {
    "encoder": EncoderNetwork, "decoder": DecoderNetwork, "joiner": JoinerNetwork,
    "ctc": CtcNetwork,
}  # fmt: skip


def make_model(kind, *changes):
    torch.manual_seed(0)
    model = make(*TINY, *KINDS[kind], *changes).model.build(80, VOCAB).eval()
    for parameter in model.parameters():  # blocks that begin as nothing would prove it
        parameter.data = torch.randn_like(parameter) * 0.2
    model.set_feature_statistics(torch.randn(80), 1 + torch.rand(80))
    return model


@pytest.fixture(scope="module")
def open_file(tmp_path_factory):
    """Return a function that gives a model, and one of its networks in a file."""
    folder, opened = tmp_path_factory.mktemp("onnx"), {}

    def open_file(kind, name):
        if (kind, name) not in opened:
            model = make_model(kind)
            network = NETWORKS[name](model)
            path = folder / f"{name}-{kind}.onnx"
            write_onnx(path, network, network.example(), {})
            opened[kind, name] = model, OnnxNetwork(path)
        return opened[kind, name]

    return open_file


@torch.inference_mode()
@pytest.mark.parametrize("kind", ["default", "relative"])
@pytest.mark.parametrize(
    "lengths", [[1], [7], [33], [41, 8, 1], [100, 100], [401, 399]]
)
def test_encoder_at_any_length(open_file, kind, lengths):
    model, run = open_file(kind, "encoder")
    assert_equal(run, lengths, model, model.joiner.enc_proj)


@torch.inference_mode()
@pytest.mark.parametrize("lengths", [[1], [33], [41, 8, 1], [401, 399]])
def test_ctc_at_any_length(open_file, lengths):
    model, run = open_file("default", "ctc")
    assert_equal(run, lengths, model, model.ctc_log_probs)


def assert_equal(run, lengths, model, output):
    lens = torch.tensor(lengths)
    feats = 3 * torch.randn(len(lens), max(lengths), 80)
    enc_out, enc_lens = model.encode(feats, lens)
    wanted, (found, found_lens) = output(enc_out), run(feats, lens)
    assert torch.equal(found_lens, enc_lens)
    for row, count in enumerate(enc_lens):
        torch.testing.assert_close(
            found[row, :count], wanted[row, :count], atol=1e-4, rtol=1e-4
        )


@torch.inference_mode()
@pytest.mark.parametrize("kind", ["default", "bigram"])
def test_decoder_begins_with_what_training_begins_with(open_file, kind):
    """sherpa-onnx begins with -1, asrkit with blank."""
    model, run = open_file(kind, "decoder")
    size = model.predictor.context_size
    tokens = torch.randint(1, VOCAB, (3, 6))
    wanted = model.joiner.pred_proj(model.predictor(tokens))
    history = torch.cat([torch.full((3, size - 1), -1), torch.zeros(3, 1).long()], 1)
    history = torch.cat([history, tokens], dim=1)
    for place in range(7):
        (found,) = run(history[:, place : place + size].contiguous())
        torch.testing.assert_close(found, wanted[:, place], atol=1e-5, rtol=1e-5)


@torch.inference_mode()
@pytest.mark.parametrize("kind", ["default", "hat"])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_joiner_is_the_distribution_after_a_softmax(open_file, kind, count):
    model, run = open_file(kind, "joiner")
    sides = torch.randn(2, count, 12)
    (found,) = run(*sides)
    torch.testing.assert_close(
        found.log_softmax(-1), model.joiner.log_probs(*sides), atol=1e-5, rtol=1e-5
    )


@torch.inference_mode()
def test_padding_is_not_heard(open_file):
    _, run = open_file("default", "encoder")
    feats, lens = torch.randn(1, 50, 80), torch.tensor([50])
    alone, _ = run(feats, lens)
    longer = torch.full((2, 90, 80), -23.0)
    longer[0, :50] = feats
    batched, _ = run(longer, torch.tensor([50, 90]))
    torch.testing.assert_close(batched[:1, :13], alone, atol=1e-5, rtol=1e-4)


def test_names_and_metadata(tmp_path):
    model = make_model("default")
    wanted = {
        EncoderNetwork: (["x", "x_lens"], ["encoder_out", "encoder_out_lens"]),
        DecoderNetwork: (["y"], ["decoder_out"]),
        JoinerNetwork: (["encoder_out", "decoder_out"], ["logit"]),
        CtcNetwork: (["x", "x_lens"], ["log_probs", "log_probs_lens"]),
    }
    for network, names in wanted.items():
        path = tmp_path / "x.onnx"
        one = network(model)
        write_onnx(path, one, one.example(), {"context_size": 2})
        file = onnx.load(str(path))
        sides = file.graph.input, file.graph.output
        assert tuple([one.name for one in side] for side in sides) == names
        assert {one.key: one.value for one in file.metadata_props} == {
            "context_size": "2"
        }
        for one in (*file.graph.input, *file.graph.output):
            assert one.type.tensor_type.shape.dim[0].dim_param == "N"
        if network is CtcNetwork:  # sherpa-onnx reads the vocabulary's size from there
            assert file.graph.output[0].type.tensor_type.shape.dim[2].dim_value == VOCAB
    assert [path.name for path in tmp_path.iterdir()] == [
        "x.onnx"
    ]  # weights are inside


@torch.inference_mode()
def test_8_bits_are_smaller_and_near_and_say_what_the_file_said(tmp_path):
    model = make_model("default", "encoder.ff_dim=4000")
    path, small = tmp_path / "ctc.onnx", tmp_path / "ctc.int8.onnx"
    network = CtcNetwork(model)
    inputs = network.example()
    write_onnx(path, network, inputs, {"vocab_size": VOCAB})
    quantize(path, small)
    assert small.stat().st_size < 0.4 * path.stat().st_size
    file = onnx.load(str(small))
    assert onnx.TensorProto.INT8 in {one.data_type for one in file.graph.initializer}
    assert {one.key: one.value for one in file.metadata_props}["vocab_size"] == "7"
    before, after = OnnxNetwork(path)(*inputs)[0], OnnxNetwork(small)(*inputs)[0]
    assert 0 < (before - after).norm() < 0.2 * before.norm()


@torch.inference_mode()
def test_blocks_can_stay_in_float(tmp_path):
    model = make_model("default", "encoder.num_layers=3")
    network = EncoderNetwork(model)
    path, small = tmp_path / "encoder.onnx", tmp_path / "encoder.int8.onnx"
    write_onnx(path, network, network.example(), {})
    found = products(path)
    # Two for each feed-forward, two of the attention's weights and two of the
    # convolution's; besides these queries meet keys, and weights values.
    assert {block: len(nodes) for block, nodes in found.items()} == {
        "encoder": 1, "blocks.0": 10, "blocks.1": 10, "blocks.2": 11,
    }  # fmt: skip

    def number_of_8_bits(*keep):
        quantize(path, small, keep=keep)
        kinds = [node.op_type for node in onnx.load(str(small)).graph.node]
        return kinds.count("MatMulInteger")

    assert number_of_8_bits() == 1 + 8 + 8 + 9
    assert number_of_8_bits("blocks.1") == 1 + 8 + 9
    assert number_of_8_bits(*found) == 0
    inputs = network.example()
    before, after = OnnxNetwork(path)(*inputs)[0], OnnxNetwork(small)(*inputs)[0]
    torch.testing.assert_close(before, after, atol=1e-6, rtol=1e-5)


def test_a_file_of_another_opset_is_named(tmp_path):
    network = JoinerNetwork(make_model("default"))
    path = tmp_path / "joiner.onnx"
    write_onnx(path, network, network.example(), {})
    file = onnx.load(str(path))
    file.opset_import[0].version = 999
    onnx.save(file, str(path))
    with pytest.raises(
        InputError, match=r"onnxruntime \d.* cannot open .*joiner\.onnx"
    ):
        OnnxNetwork(path)
    path.write_bytes(b"no file of ONNX")
    with pytest.raises(
        InputError, match=r"cannot open .*joiner\.onnx.*export it again"
    ):
        OnnxNetwork(path)
