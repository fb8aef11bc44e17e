"""The gate finds equal files equal, and no others."""

from math import inf

import pytest
import torch

from asrkit.export.networks import EncoderNetwork
from asrkit.export.onnx_file import OnnxNetwork, write_onnx
from asrkit.export.parity import TOLERANCE, largest_difference
from asrkit.export.stream_network import StreamNetwork
from asrkit.utils.errors import InputError
from tests.unit.export.test_onnx_file import NETWORKS, make_model

ALL = [*NETWORKS, "stream"]


@pytest.fixture(scope="module")
def model():
    return make_model("default")


def make(name, model):
    if name == "stream":
        return StreamNetwork(model, size=4, left=2)
    return NETWORKS[name](model)


def as_list(network):
    """Return a function that runs a network as if it were in a file."""

    @torch.inference_mode()
    def run(*inputs):
        found = network(*inputs)
        return list(found) if isinstance(found, tuple) else [found]

    return run


@pytest.mark.parametrize("name", ALL)
def test_the_network_itself_is_equal(model, name):
    network = make(name, model)
    assert largest_difference(name, network, as_list(network)) == 0


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("amount", [0.01, float("nan")])
def test_another_value_is_found(model, name, amount):
    network = make(name, model)

    def run(*inputs):
        first, *rest = as_list(network)(*inputs)
        first[-1, 0] += amount
        return [first, *rest]

    assert largest_difference(name, network, run) > TOLERANCE


@pytest.mark.parametrize("name", ["encoder", "ctc"])
def test_another_length_is_found(model, name):
    network = make(name, model)

    def run(*inputs):
        first, lens = as_list(network)(*inputs)
        return [first, lens.clamp(max=300)]

    assert largest_difference(name, network, run) == inf


def test_a_context_of_minus_1_counts(model):
    """As the last token it would go unnoticed by onnxruntime."""
    network = make("decoder", model)

    def run(y):
        return as_list(network)(torch.where(y < 0, model.vocab_size - 1, y))

    assert largest_difference("decoder", network, run) > TOLERANCE


@pytest.mark.parametrize("place", range(1, 10))
def test_each_state_of_a_stream_counts(model, place):
    """One that is lost, and one that is given back wrong."""
    network = make("stream", model)

    def lose(*inputs):
        given = list(inputs)
        given[place] = torch.zeros_like(given[place])
        return as_list(network)(*given)

    def spoil(*inputs):
        found = as_list(network)(*inputs)
        found[place] = found[place] + 1
        return found

    assert largest_difference("stream", network, spoil) > TOLERANCE
    # A conformer has no use for the second block's fusion but to give it back.
    if network.inputs[place] != "fusion_1":
        assert largest_difference("stream", network, lose) > TOLERANCE


def test_a_file_for_one_length_is_refused(model, tmp_path):
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")

    class Frozen(EncoderNetwork):
        def forward(self, x, x_lens):
            out, lens = super().forward(x, x_lens)
            return out + torch.zeros(out.shape[1:].numel()).view(1, 25, -1), lens

    path = tmp_path / "encoder.onnx"
    frozen = Frozen(model)
    write_onnx(path, frozen, frozen.example(), {})
    with pytest.raises(InputError, match=r"encoder does not run .*\(1, 333, 80\)"):
        largest_difference("encoder", EncoderNetwork(model), OnnxNetwork(path))
