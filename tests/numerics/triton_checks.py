"""The Triton kernels against torch: in the interpreter, or on a GPU.

test_triton.py runs these in a process of their own, because Triton decides when it is
imported whether to interpret.
"""

import os

import pytest
import torch

from asrkit.transducer.fused import fused_loss
from asrkit.transducer.lattices.lattice import lattice
from asrkit.transducer.pruned import prune_ranges, pruned_loss
from asrkit.transducer.sample_wise import sample_wise_loss
from asrkit.transducer.sampled import sampled_loss
from asrkit.transducer.sampling import Vocabulary, sample_vocabulary
from asrkit.transducer.tiled.tiles import Budget
from tests.numerics.lattices import TOPOLOGIES, projections, ragged

DEVICE = os.environ["ASRKIT_TRITON_DEVICE"]

# The interpreter computes with NumPy, which warns of -inf - -inf; that of Triton 3.6
# makes numbers of arrays.
pytestmark = [
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


def to_device(*tensors):
    return [x.to(DEVICE) for x in tensors]


def assert_relatively_close(found, expected, tolerance):
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == b.dtype
        a, b = a.double(), b.double()
        assert b.any()
        assert (a - b).norm() <= tolerance * b.norm(), (a - b).norm() / b.norm()


def compare(loss, inputs, tolerance, *args, **options):
    """Compare loss and gradients of both backends."""
    found = []
    for backend in ("triton", "torch"):
        leaves = [x.clone().requires_grad_() for x in to_device(*inputs)]
        value = loss(*leaves, *args, backend=backend, **options)
        value.backward()
        found.append([value.detach(), *(x.grad for x in leaves)])
    assert_relatively_close(*found, tolerance)


def draw_ranges(batch, T, U, s_range, topology):
    """Prune at random."""
    B = len(batch[1])
    occupations = torch.rand(B, T, U + 1), torch.rand(B, T, U)
    return prune_ranges(*occupations, *batch[1:], s_range=s_range, topology=topology)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_lattice(topology, dtype):
    logits, _, *lens = ragged(B=3, T=9, U=4, V=2, dtype=dtype)
    blank, label = logits.log_softmax(-1).unbind(-1)
    arguments = to_device(blank, label[..., :-1], *lens)
    found, expected = (
        lattice(*arguments, topology=topology, backend=backend)
        for backend in ("triton", "torch")
    )
    for name in ("log_likelihood", "blank_occupation", "label_occupation"):
        torch.testing.assert_close(getattr(found, name), getattr(expected, name))


def test_long_paths_keep_their_precision():
    logits, _, *lens = ragged(B=1, T=60, U=12, V=2, possible=True)
    blank, label = to_device(*(logits.log_softmax(-1) - 3.0).unbind(-1))
    lens = to_device(*lens)
    exact = lattice(blank, label[..., :-1], *lens, backend="torch")
    found = lattice(blank.float(), label[..., :-1].float(), *lens, backend="triton")
    torch.testing.assert_close(
        found.log_likelihood.double(), exact.log_likelihood, rtol=1e-6, atol=0
    )
    torch.testing.assert_close(
        found.label_occupation.double(), exact.label_occupation, rtol=1e-3, atol=2e-4
    )


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_pruned_lattice(topology):
    B, T, U = 3, 9, 4
    logits, *batch = ragged(B, T, U, possible=True)
    ranges = draw_ranges(batch, T, U, 3, topology)
    compare(
        pruned_loss,
        [logits[:, :, : ranges.shape[2]]],
        1e-9,
        batch[0].to(DEVICE),
        ranges.to(DEVICE),
        *to_device(*batch[1:]),
        topology=topology,
    )


@pytest.mark.parametrize(
    "options",
    [{}, {"hat": True}, {"delay_penalty": 0.1, "fastemit": 0.3, "blank_id": 6}],
    ids=str,
)
@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_fused(topology, options, monkeypatch):
    # Tiles of frames of one utterance and of whole ones; blocks that are not full.
    monkeypatch.setattr(
        "asrkit.transducer.fused.choose_budget", lambda *_: Budget(24, 0, 40)
    )
    inputs, batch = projections(3, 7, V=21, J=19, dtype=torch.float32, possible=False)
    batch[0].masked_fill_(batch[0] == options.get("blank_id", 0), 1)
    compare(fused_loss, inputs, 1e-4, *to_device(*batch), topology=topology, **options)


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_fused_in_a_band(topology):
    inputs, batch = projections(B=4, T=6, U=4, V=18, J=16, dtype=torch.float32)
    ranges = draw_ranges(batch, 6, 4, 2, topology).to(DEVICE)
    inputs[0] = inputs[0].mT.contiguous().mT  # strides that kernels do not know
    options = {"ranges": ranges, "topology": topology}
    compare(fused_loss, inputs, 1e-4, *to_device(*batch), **options)


@pytest.mark.parametrize("banded", [False, True])
@pytest.mark.parametrize("scope", ["batch", "utterance"])
def test_sampled(scope, banded):
    inputs, batch = projections(B=4, V=40, J=16, dtype=torch.float32)
    sample = sample_vocabulary(batch[0], batch[2], 40, 9, scope=scope)
    vocabulary = Vocabulary(*to_device(sample.ids, sample.log_inclusion))
    ranges = draw_ranges(batch, 6, 3, 2, "regular").to(DEVICE) if banded else None
    options = {"vocabulary": vocabulary, "ranges": ranges, "log_q_correction": True}
    compare(sampled_loss, inputs, 1e-4, *to_device(*batch), **options)


def test_fused_with_durations(monkeypatch):
    monkeypatch.setattr(
        "asrkit.transducer.fused.choose_budget", lambda *_: Budget(24, 0, 40)
    )
    inputs, batch = projections(3, 7, V=21, J=19, dtype=torch.float32, possible=False)
    batch[0] = 1 + batch[0] % 17
    options = {"durations": (0, 1, 3), "sigma": 0.1}
    compare(fused_loss, inputs, 1e-4, *to_device(*batch), **options)
    inputs = [inputs[0].bfloat16(), inputs[1].bfloat16(), inputs[2] / 4, inputs[3]]
    compare(fused_loss, inputs, 1e-2, *to_device(*batch), **options)


def test_bfloat16_operands():
    inputs, batch = projections(3, V=18, J=32, dtype=torch.float32)
    inputs = [inputs[0].bfloat16(), inputs[1].bfloat16(), inputs[2] / 4, inputs[3]]
    compare(fused_loss, inputs, 1e-2, *to_device(*batch))


def test_float64_is_left_to_torch():
    inputs, batch = projections(B=2)
    compare(fused_loss, inputs, 1e-9, *to_device(*batch))


def test_sample_wise_without_frames_and_without_paths():
    inputs, (tokens, *_) = projections(B=3, dtype=torch.float32)
    lens = torch.tensor([6, 2, 0]), torch.tensor([3, 3, 1])
    batch = to_device(tokens, *lens)
    compare(sample_wise_loss, inputs, 1e-4, *batch, topology="monotonic", max_cells=1)


@pytest.mark.parametrize(("finite", "hat"), [(9, False), (9, True), (1, True)])
def test_logits_of_minus_infinity(finite, hat):
    inputs, (tokens, enc_lens, token_lens) = projections(B=3, V=18, dtype=torch.float32)
    inputs[3][finite:] = -torch.inf
    if finite == 1:  # blank alone: no label's softmax has a normalizer
        token_lens.zero_()
    batch = to_device(tokens.clamp(max=8), enc_lens, token_lens)
    compare(fused_loss, inputs, 1e-4, *batch, hat=hat)


def test_tanh_is_as_precise_as_torch():
    from asrkit.transducer.kernels.joiner import (
        JoinerTensors,
        TileRows,
        evaluate_hidden,
    )

    x = torch.cat([10.0 ** torch.linspace(-30, 1.5, 200), torch.linspace(0, 1, 312)])
    enc = torch.stack([x, -x]).to(DEVICE)
    bias = torch.zeros(1, device=DEVICE)
    rows = torch.tensor([0, 1], dtype=torch.int32, device=DEVICE)
    joiner = JoinerTensors(enc, torch.zeros_like(enc), torch.ones_like(enc[:1]), bias)
    found = evaluate_hidden(joiner, TileRows(rows, rows, rows))
    torch.testing.assert_close(found.double(), enc.double().tanh(), rtol=1e-6, atol=0.0)
