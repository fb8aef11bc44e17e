"""Minimum Bayes risk over lists of hypotheses, in the memory of one hypothesis.

Zhou, Michel, Schlüter and Ney, "Efficient training of neural transducer for speech
recognition", Interspeech 2022 (arXiv 2204.10586). With the scores
s_n = -log P(W_n | X) - lm_n and q = softmax(-kappa s), the loss of an utterance is

    L = sum_n q_n risk_n - rho log P(W_ref | X).

Its derivative by -log P(W_n | X) is a number that the scores alone give,

    c_n = kappa q_n (sum_m q_m risk_m - risk_n) + rho [n is the reference].

So pass 1 computes scores without gradients, and pass 2 the gradient of the transducer
loss of one hypothesis after the other, times c_n, summed up in one place.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from asrkit.transducer.checks import trusting
from asrkit.transducer.rules import Topology
from asrkit.transducer.sample_wise import sample_wise_loss
from asrkit.utils.lengths import make_pad_mask


@dataclass(frozen=True)
class MbrLoss:
    """What a batch's lists give."""

    loss: Tensor
    """Summed over utterances, with its gradient, ()."""
    expected_risk: Tensor
    """sum_n q_n risk_n of each utterance, (B,)."""
    without_path: Tensor
    """Utterances whose reference has no path, (), int64."""


def nbest_mbr_loss(
    enc_proj: Tensor,
    pred_proj: Tensor,
    weight: Tensor,
    bias: Tensor,
    tokens: Tensor,
    enc_lens: Tensor,
    token_lens: Tensor,
    *,
    lm_scores: Tensor,
    risks: Tensor,
    counts: Tensor,
    renorm_scale: float = 2.5,
    reference_weight: float = 0.05,
    loss: Callable[..., Tensor] = sample_wise_loss,
    topology: Topology | str = Topology.MONOTONIC,
    **options: Any,
) -> MbrLoss:
    """Expected risk of N hypotheses and the loss of the first, the reference.

    A hypothesis without a path (more labels than frames) has q 0 and no gradient; a
    reference without one adds no loss of its own. pred_proj holds all hypotheses at
    once: N (U + 1) J numbers an utterance are about as many as enc_proj's T J, little
    beside the T (U + 1) V of a lattice, and both passes then see the same dropout.

    Args:
        enc_proj: (B, T, J).
        pred_proj: (B, N, U + 1, J).
        weight: (V, J).
        bias: (V,).
        tokens: (B, N, U), int64.
        enc_lens: (B,), int64.
        token_lens: (B, N), int64.
        lm_scores: Scaled log-scores lm_n, (B, N).
        risks: (B, N).
        counts: Hypotheses of each utterance, (B,), int64; the rest is padding.
        renorm_scale: kappa.
        reference_weight: rho.
        loss: `sample_wise_loss` or one with its arguments.
        topology: Which moves the lattice allows.
        options: Further arguments of `loss`.

    Raises:
        ValueError: An argument is out of range or shapes do not fit.
    """
    if renorm_scale <= 0:
        raise ValueError(f"renorm_scale must be positive, got {renorm_scale}")
    _check_lists(pred_proj, tokens, token_lens, lm_scores, risks, counts)
    each = {"reduction": "none", "impossible": "inf"}
    lists = _Lists(
        tokens,
        enc_lens,
        token_lens,
        functools.partial(loss, **{**options, **each, "topology": topology}),
    )
    inputs = (enc_proj, pred_proj, weight, bias)
    values = tuple(x.detach() for x in inputs)
    scores = lists.scores(values, counts)
    posterior = _renormalize(renorm_scale * (scores - lm_scores))
    expected_risk = (posterior * risks).sum(dim=1)
    # c_n above: q = softmax(-kappa s) gives d q_m / d s_n = kappa q_n (q_m - [m = n]).
    coefficients = renorm_scale * posterior * (expected_risk[:, None] - risks)
    no_path = scores[:, 0] == torch.inf
    coefficients[:, 0] += reference_weight
    reference = torch.where(no_path, 0.0, scores[:, 0]).sum()
    total = expected_risk.sum() + reference_weight * reference
    if torch.is_grad_enabled() and any(x.requires_grad for x in inputs):
        total = _WithGradient.apply(*inputs, total, coefficients, lists)
    return MbrLoss(total, expected_risk, no_path.sum())


@dataclass(frozen=True)
class _Lists:
    """The hypotheses and their loss.

    Args:
        tokens: (B, N, U), int64.
        enc_lens: (B,), int64.
        token_lens: (B, N), int64.
        loss: Gives losses (B,), +inf without a path.
    """

    tokens: Tensor
    enc_lens: Tensor
    token_lens: Tensor
    loss: Callable[..., Tensor]

    def losses(
        self,
        n: int,
        inputs: tuple[Tensor, ...],
        used: Tensor,
        weights: Tensor | None = None,
    ) -> Tensor:
        """Return the losses of hypothesis n, (B,).

        Args:
            n: Which one.
            inputs: Projections, those of the predictor for this hypothesis, (B, U + 1,
                J), and the joiner's output.
            used: Utterances that are asked for, (B,); the others' values mean nothing.
            weights: Factor of each loss, (B,).
        """
        # What is not asked for is a lattice of one frame.
        enc_lens = torch.where(used, self.enc_lens, self.enc_lens.clamp(max=1))
        labels = self.tokens[:, n], enc_lens, self.token_lens[:, n]
        return self.loss(*inputs, *labels, weights=weights)

    def scores(self, inputs: tuple[Tensor, ...], counts: Tensor) -> Tensor:
        """Return -log P of all hypotheses, (B, N); +inf without a path, for padding."""
        enc, pred, *output = inputs
        padding = make_pad_mask(counts, self.tokens.shape[1])
        columns = [
            self.losses(n, (enc, pred[:, n], *output), ~padding[:, n])
            for n in range(self.tokens.shape[1])
        ]
        return torch.stack(columns, dim=1).masked_fill(padding, torch.inf)

    def gradients(
        self, inputs: tuple[Tensor, ...], coefficients: Tensor
    ) -> list[Tensor]:
        """Return the gradient of (coefficients * scores).sum().

        Args:
            inputs: As of `nbest_mbr_loss`.
            coefficients: (B, N); a hypothesis with 0 costs nothing.
        """
        enc, pred, *output = inputs
        sums = [
            torch.zeros_like(x, dtype=torch.promote_types(x.dtype, torch.float32))
            for x in (enc, *output)
        ]
        d_pred = torch.zeros_like(pred)
        for n in (coefficients != 0).any(dim=0).nonzero()[:, 0].tolist():
            d_pred[:, n] = self.add_gradient(n, inputs, coefficients[:, n], sums)
        d_enc, *rest = (
            g.to(x.dtype) for g, x in zip(sums, (enc, *output), strict=True)
        )
        return [d_enc, d_pred, *rest]

    def add_gradient(
        self,
        n: int,
        inputs: tuple[Tensor, ...],
        weights: Tensor,
        sums: list[Tensor],
    ) -> Tensor:
        """Return hypothesis n's gradient by its part of pred_proj, (B, U + 1, J).

        Args:
            n: Which one.
            inputs: As of `nbest_mbr_loss`.
            weights: Factor of each loss, (B,).
            sums: Get the gradients by the other inputs added.
        """
        enc, pred, *output = inputs
        leaves = [x.detach().requires_grad_() for x in (enc, pred[:, n], *output)]
        with torch.enable_grad():
            losses = self.losses(n, tuple(leaves), weights != 0, weights)
        d_enc, d_pred, *rest = torch.autograd.grad(
            losses, leaves, torch.ones_like(losses)
        )
        for total, part in zip(sums, (d_enc, *rest), strict=True):
            total += part
        return d_pred


class _WithGradient(torch.autograd.Function):
    """Gives the loss its gradient, computed in the forward pass."""

    @staticmethod
    def forward(
        ctx: Any,
        enc: Tensor,
        pred: Tensor,
        weight: Tensor,
        bias: Tensor,
        total: Tensor,
        coefficients: Tensor,
        lists: _Lists,
    ) -> Tensor:
        """Return `total`."""
        ctx.save_for_backward(*lists.gradients((enc, pred, weight, bias), coefficients))
        return total.clone()

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        """Scale the gradients."""
        scaled = (gradient * grad_outputs[0] for gradient in ctx.saved_tensors)
        return *scaled, None, None, None


def _renormalize(scores: Tensor) -> Tensor:
    """Return softmax(-scores) (B, N); all 0 where all scores are +inf."""
    none = (scores == torch.inf).all(dim=1, keepdim=True)
    return torch.where(none, 0.0, torch.softmax(-scores, dim=1))


def _check_lists(
    pred_proj: Tensor,
    tokens: Tensor,
    token_lens: Tensor,
    lm_scores: Tensor,
    risks: Tensor,
    counts: Tensor,
) -> None:
    """Raise ValueError for lists whose parts do not fit each other."""
    B, N, U = tokens.shape
    for name, shape, expected in (
        ("pred_proj", pred_proj.shape[:3], (B, N, U + 1)),
        ("token_lens", token_lens.shape, (B, N)),
        ("lm_scores", lm_scores.shape, (B, N)),
        ("risks", risks.shape, (B, N)),
        ("counts", counts.shape, (B,)),
    ):
        if tuple(shape) != expected:
            raise ValueError(
                f"{name} has shape {tuple(shape)}, expected {expected} for tokens of "
                f"shape {(B, N, U)}"
            )
    if trusting():
        return
    low, high = torch.stack(counts.aminmax()).tolist()
    if low < 1 or high > N:
        raise ValueError(f"counts must be in 1..{N}, found {low}..{high}")
