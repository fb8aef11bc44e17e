"""The gate lets equal files through, and no others."""

import pytest
import torch

from asrkit.export.networks import CTC, TRANSDUCER, EncoderNetwork, example
from asrkit.export.onnx_file import OnnxNetwork, write_onnx
from asrkit.export.parity import prove_network
from asrkit.utils.errors import InputError
from tests.unit.export.test_onnx_file import make_model

NETWORKS = TRANSDUCER | CTC


@pytest.fixture(scope="module")
def model():
    return make_model("default")


def as_list(network):
    """Return a function that runs a network as if it were in a file."""

    @torch.inference_mode()
    def run(*inputs):
        found = network(*inputs)
        return list(found) if isinstance(found, tuple) else [found]

    return run


@pytest.mark.parametrize("name", NETWORKS)
def test_the_network_itself_is_equal(model, name):
    network = NETWORKS[name](model)
    assert prove_network(name, model, network, as_list(network)) == 0


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("amount", [0.01, float("nan")])
def test_another_value_is_refused(model, name, amount):
    network = NETWORKS[name](model)

    def run(*inputs):
        first, *rest = as_list(network)(*inputs)
        first[-1, 0] += amount
        return [first, *rest]

    with pytest.raises(InputError, match=rf"^{name} is not equal.*nothing is exported"):
        prove_network(name, model, network, run)


@pytest.mark.parametrize("name", ["encoder", "ctc"])
def test_another_length_is_refused(model, name):
    network = NETWORKS[name](model)

    def run(*inputs):
        first, lens = as_list(network)(*inputs)
        return [first, lens.clamp(max=300)]

    with pytest.raises(InputError, match="1501"):
        prove_network(name, model, network, run)


def test_a_context_of_minus_1_counts(model):
    """As the last token it would go unnoticed by onnxruntime."""
    network = TRANSDUCER["decoder"](model)

    def run(y):
        return as_list(network)(torch.where(y < 0, model.vocab_size - 1, y))

    with pytest.raises(InputError, match="decoder is not equal"):
        prove_network("decoder", model, network, run)


def test_a_file_for_one_length_is_refused(model, tmp_path):
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")

    class Frozen(EncoderNetwork):
        def forward(self, x, x_lens):
            out, lens = super().forward(x, x_lens)
            return out + torch.zeros(out.shape[1:].numel()).view(1, 25, -1), lens

    path = tmp_path / "encoder.onnx"
    write_onnx(path, Frozen(model), example(model, EncoderNetwork), {})
    with pytest.raises(InputError, match=r"encoder does not run .*\(1, 333, 80\)"):
        prove_network("encoder", model, EncoderNetwork(model), OnnxNetwork(path))
