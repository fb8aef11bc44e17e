"""Minimum Bayes risk: equal to autograd through every hypothesis's full lattice."""

import pytest
import torch

from asrkit.transducer.full import transducer_loss
from asrkit.transducer.fused import fused_loss
from asrkit.transducer.nbest_mbr import nbest_mbr_loss
from asrkit.transducer.rules import Topology
from asrkit.transducer.sample_wise import sample_wise_loss
from tests.numerics.lattices import TOPOLOGIES, join

B, N, T, U, V, J = 4, 3, 7, 4, 6, 5


def draw(dtype=torch.float64):
    """Draw projections, and ragged lists whose last utterance has one hypothesis."""
    shapes = (B, T, J), (B, N, U + 1, J), (V, J), (V,)
    inputs = [torch.randn(shape, dtype=dtype) for shape in shapes]
    tokens = torch.randint(1, V, (B, N, U))
    token_lens = torch.randint(0, U + 1, (B, N))
    token_lens[0, 0] = U
    lists = {
        "lm_scores": -3 * torch.rand(B, N, dtype=dtype),
        "risks": torch.randint(0, 5, (B, N)).to(dtype),
        "counts": torch.tensor([3, 2, 3, 1]),
    }
    lists["risks"][:, 0] = 0.0
    return inputs, (tokens, torch.tensor([T, 5, 4, 6]), token_lens), lists


def explicit(inputs, batch, lists, *, kappa=2.5, rho=0.05, **options):
    """Return losses (B,) and expected risks (B,), one graph over all hypotheses."""
    enc, pred, weight, bias = inputs
    tokens, enc_lens, token_lens = batch
    losses, expected = [], []
    for b, count in enumerate(lists["counts"].tolist()):
        logits = join(enc[[b] * count], pred[b, :count], weight, bias)
        nll = transducer_loss(
            logits,
            tokens[b, :count],
            enc_lens[[b] * count],
            token_lens[b, :count],
            reduction="none",
            impossible="inf",
            **options,
        )
        there = nll.isfinite()
        weights = torch.exp(kappa * (lists["lm_scores"][b, :count] - nll))[there]
        risk = (weights / weights.sum() * lists["risks"][b, :count][there]).sum()
        expected.append(risk)
        losses.append(risk + rho * nll[0] if there[0] else risk)
    return torch.stack(losses), torch.stack(expected)


def compute(inputs, batch, lists, **options):
    """Return the result and gradients of fresh copies of the inputs."""
    leaves = [x.clone().requires_grad_() for x in inputs]
    result = nbest_mbr_loss(*leaves, *batch, **lists, **options)
    result.loss.backward()
    return result, [x.grad for x in leaves]


def reference(inputs, batch, lists, **options):
    leaves = [x.clone().requires_grad_() for x in inputs]
    losses, expected = explicit(leaves, batch, lists, **options)
    losses.sum().backward()
    return losses.sum().detach(), expected.detach(), [x.grad for x in leaves]


def assert_equals_reference(inputs, batch, lists, *, options=None, **arguments):
    loss, expected, gradients = reference(inputs, batch, lists, **(options or {}))
    result, found = compute(inputs, batch, lists, **(options or {}), **arguments)
    torch.testing.assert_close(result.loss.detach(), loss)
    torch.testing.assert_close(result.expected_risk, expected)
    for a, b in zip(found, gradients, strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("loss", [sample_wise_loss, fused_loss])
@pytest.mark.parametrize(
    "options", [{}, {"hat": True}, {"delay_penalty": 0.1}], ids=str
)
@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_two_passes_equal_autograd_through_all_hypotheses(topology, options, loss):
    options = {**options, "topology": topology}
    assert_equals_reference(*draw(), options=options, loss=loss)


def test_groups_of_one_utterance_change_nothing():
    options = {"topology": Topology.MONOTONIC}
    assert_equals_reference(*draw(), options=options, max_cells=1)


def test_scales_are_those_of_the_formula():
    inputs, batch, lists = draw()
    loss, _, gradients = reference(
        inputs, batch, lists, kappa=0.7, rho=0.3, topology="monotonic"
    )
    result, found = compute(
        inputs, batch, lists, renorm_scale=0.7, reference_weight=0.3
    )
    torch.testing.assert_close(result.loss.detach(), loss)
    torch.testing.assert_close(found, gradients)


@pytest.mark.parametrize("loss", [sample_wise_loss, fused_loss])
def test_gradcheck(loss):
    inputs, batch, lists = draw()
    leaves = [x.requires_grad_() for x in inputs]
    assert torch.autograd.gradcheck(
        lambda *x: nbest_mbr_loss(*x, *batch, **lists, loss=loss).loss,
        leaves,
        fast_mode=True,  # along random directions
    )


def test_a_hypothesis_without_a_path_takes_no_part():
    inputs, (tokens, enc_lens, token_lens), lists = draw()
    token_lens[0] = torch.tensor([2, 4, 3])
    enc_lens[0] = 3  # fewer than the labels of the second
    batch = tokens, enc_lens, token_lens
    assert_equals_reference(
        inputs, batch, lists, options={"topology": Topology.MONOTONIC}
    )
    result, (_, d_pred, *_) = compute(inputs, batch, lists)
    assert result.without_path == 0
    assert not d_pred[0, 1].any()
    assert d_pred[0, 0].any()
    assert d_pred[0, 2].any()


def test_a_reference_without_a_path_is_counted_and_leaves_the_rest():
    inputs, (tokens, enc_lens, token_lens), lists = draw()
    token_lens[0] = torch.tensor([4, 1, 2])
    token_lens[2] = 4
    enc_lens[0] = enc_lens[2] = 3  # the first's reference; all of the third's list
    batch = tokens, enc_lens, token_lens
    leaves = [x.clone().requires_grad_() for x in inputs]
    rows = [0, 1, 3]
    losses, expected = explicit(
        [*(x[rows] for x in leaves[:2]), *leaves[2:]],
        [x[rows] for x in batch],
        {name: x[rows] for name, x in lists.items()},
        topology="monotonic",
    )
    losses.sum().backward()
    result, found = compute(inputs, batch, lists)
    assert result.without_path == 2
    assert result.expected_risk[2] == 0.0
    torch.testing.assert_close(result.loss.detach(), losses.sum().detach())
    torch.testing.assert_close(result.expected_risk[rows], expected.detach())
    torch.testing.assert_close(found, [x.grad for x in leaves])
    assert not found[0][2].any()


def test_padding_and_other_utterances_change_nothing():
    inputs, (tokens, enc_lens, token_lens), lists = draw()
    together, (d_enc, d_pred, *d_output) = compute(
        inputs, (tokens, enc_lens, token_lens), lists
    )
    loss, outputs = 0.0, [0.0, 0.0]
    for b, count in enumerate(lists["counts"].tolist()):
        frames, labels = enc_lens[b], token_lens[b, :count].max()
        enc, pred, *output = inputs
        part = slice(b, b + 1), slice(None, count)
        one, (enc_grad, pred_grad, *grads) = compute(
            [enc[b : b + 1, :frames], pred[part][:, :, : labels + 1], *output],
            (tokens[part][..., :labels], enc_lens[b : b + 1], token_lens[part]),
            {
                "lm_scores": lists["lm_scores"][part],
                "risks": lists["risks"][part],
                "counts": lists["counts"][b : b + 1],
            },
        )
        loss += one.loss.detach()
        outputs = [a + g for a, g in zip(outputs, grads, strict=True)]
        torch.testing.assert_close(enc_grad[0], d_enc[b, :frames])
        torch.testing.assert_close(pred_grad[0], d_pred[b, :count, : labels + 1])
        assert not d_enc[b, frames:].any()
        assert not d_pred[b, count:].any()
    torch.testing.assert_close(loss, together.loss.detach())
    torch.testing.assert_close(outputs, d_output)


def test_only_one_hypothesis_at_a_time_has_gradients():
    inputs, batch, lists = draw()
    lists["risks"][:, 1] = 0.0
    lists["counts"][:] = 2
    calls = []

    def spy(*arguments, weights, **options):
        calls.append((torch.is_grad_enabled() and arguments[0].requires_grad, weights))
        return sample_wise_loss(*arguments, weights=weights, **options)

    compute(inputs, batch, lists, loss=spy)
    # Where all risks are 0 only the reference has a coefficient, rho.
    assert [with_gradient for with_gradient, _ in calls] == [False] * N + [True]
    assert calls[-1][1].tolist() == [0.05] * B


def test_without_gradients_there_is_one_pass():
    inputs, batch, lists = draw()
    leaves = [x.clone().requires_grad_() for x in inputs]
    calls = []

    def spy(*arguments, weights, **options):
        calls.append(arguments[0].requires_grad)
        return sample_wise_loss(*arguments, weights=weights, **options)

    with torch.no_grad():
        found = nbest_mbr_loss(*leaves, *batch, **lists, loss=spy)
    assert calls == [False] * N
    torch.testing.assert_close(found.loss, compute(inputs, batch, lists)[0].loss)


def test_upstream_gradients_and_a_second_backward_pass_scale():
    inputs, batch, lists = draw()
    _, expected = compute(inputs, batch, lists)
    leaves = [x.clone().requires_grad_() for x in inputs]
    loss = 3.0 * nbest_mbr_loss(*leaves, *batch, **lists).loss
    loss.backward(retain_graph=True)
    torch.testing.assert_close([x.grad for x in leaves], [3 * g for g in expected])
    loss.backward()
    torch.testing.assert_close([x.grad for x in leaves], [6 * g for g in expected])


def test_bfloat16_projections_are_summed_in_float32():
    inputs, batch, lists = draw(torch.float32)
    rounded = [x.bfloat16() for x in inputs[:2]] + inputs[2:]
    precise, expected = compute([x.float() for x in rounded], batch, lists)
    with torch.autocast("cpu", torch.bfloat16):
        found, gradients = compute(rounded, batch, lists)
    torch.testing.assert_close(found.loss, precise.loss)
    assert gradients[0].dtype == torch.bfloat16
    torch.testing.assert_close(gradients[2:], expected[2:])
    torch.testing.assert_close(gradients[0].float(), expected[0], rtol=2e-2, atol=1e-3)


def test_gradients_of_many_bfloat16_hypotheses_do_not_lose_each_other():
    inputs, (tokens, enc_lens, token_lens), _ = draw(torch.float32)
    count = 32
    same = [x[:, :1].repeat_interleave(count, dim=1) for x in (inputs[1], tokens)]
    risks = torch.arange(count).ge(count // 2).float().expand(B, -1)
    result, (d_enc, *_) = compute(
        [inputs[0].bfloat16(), same[0].bfloat16(), *inputs[2:]],
        (same[1], enc_lens, token_lens[:, :1].repeat_interleave(count, dim=1)),
        {
            "lm_scores": torch.zeros(B, count),
            "risks": risks,
            "counts": torch.full((B,), count),
        },
        reference_weight=0.0,
    )
    # 16 gradients and their negatives: a sum in bfloat16 would not come back to 0.
    torch.testing.assert_close(result.expected_risk, torch.full((B,), 0.5))
    assert not d_enc.any()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("risks", torch.zeros(B, N + 1)),
        ("lm_scores", torch.zeros(B, N - 1)),
        ("counts", torch.tensor([0, 1, 1, 1])),
        ("counts", torch.tensor([N + 1, 1, 1, 1])),
        ("renorm_scale", 0.0),
    ],
)
def test_lists_that_do_not_fit_are_named(name, value):
    inputs, batch, lists = draw()
    with pytest.raises(ValueError, match=name):
        nbest_mbr_loss(*inputs, *batch, **{**lists, name: value})
