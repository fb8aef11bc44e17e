"""Losses from the joiner's projections as one differentiable function."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from asrkit.transducer.backends import Backend, resolve
from asrkit.transducer.checks import check_lattice_input, check_ranges
from asrkit.transducer.rules import Rules
from asrkit.transducer.tiled.cells import BandCells, Cells, FullCells
from asrkit.transducer.tiled.tiles import Budget, TiledLoss, TileGradients

ChooseBudget = Callable[[Tensor, Tensor, Rules], Budget]
"""Chooses a budget from enc_proj, weight and rules."""


@dataclass(frozen=True)
class LossProblem:
    """What is computed from projections, besides the projections.

    Args:
        cells: Which cells.
        rules: How logits become scores.
        backend: TORCH or TRITON.
        budget: How many cells at a time.
        weights: What each utterance's loss is multiplied by, (B,), or None.
    """

    cells: Cells
    rules: Rules
    backend: Backend
    budget: Budget
    weights: Tensor | None

    def losses(
        self, inputs: tuple[Tensor, ...], scale: Tensor, gradients: TileGradients | None
    ) -> Tensor:
        """Return unweighted losses (B,); add the gradient of scale @ losses."""
        enc, pred, weight, bias = inputs
        dtype = torch.promote_types(enc.dtype, torch.float32)
        weight, bias = weight.to(dtype), bias.to(dtype)
        arguments = (self.cells, enc, pred, weight, bias, self.rules, self.backend)
        if self.backend is Backend.TRITON:
            from asrkit.transducer.tiled.triton_tiles import TritonTiledLoss

            return TritonTiledLoss(*arguments, scale, gradients).run(self.budget)
        return TiledLoss(*arguments, scale, gradients).run(self.budget)


def make_problem(
    enc_proj: Tensor,
    pred_proj: Tensor,
    weight: Tensor,
    bias: Tensor,
    tokens: Tensor,
    enc_lens: Tensor,
    token_lens: Tensor,
    *,
    rules: Rules,
    ranges: Tensor | None,
    allowed: Tensor | None,
    backend: Backend | str,
    budget: ChooseBudget,
    weights: Tensor | None,
) -> LossProblem:
    """Check the arguments that losses from projections share.

    Utterances may have output layers of their own, of the same size: weight (B, V, J)
    and bias (B, V).

    Raises:
        ValueError: An argument is out of range or shapes do not fit.
    """
    (B, T, J), (_, rows, _) = enc_proj.shape, pred_proj.shape
    each = weight.shape[:-2] and (B,)
    V = weight.shape[len(each)]
    for name, tensor, expected in (
        ("pred_proj", pred_proj, (B, rows, J)),
        ("weight", weight, (*each, V, J)),
        ("bias", bias, (*each, V)),
    ):
        if tuple(tensor.shape) != expected:
            raise ValueError(
                f"{name} has shape {tuple(tensor.shape)}, expected {expected} for "
                f"enc_proj of shape {tuple(enc_proj.shape)}"
            )
    check_lattice_input(
        T,
        rows - 1,
        V - len(rules.durations),
        tokens,
        enc_lens,
        token_lens,
        blank_id=rules.blank_id,
        others={"enc_proj": enc_proj, "pred_proj": pred_proj, "weight": weight},
    )
    cells: Cells
    if rules.durations and ranges is not None:
        raise ValueError("ranges: a band holds no paths with durations; leave one out")
    if ranges is None:
        cells = FullCells(tokens, enc_lens, token_lens)
    else:
        check_ranges(ranges, ranges.shape[2], rows - 1, rules.topology)
        cells = BandCells(tokens, enc_lens, token_lens, ranges, allowed)
    backend = resolve(backend, enc_proj.device)
    chosen = budget(enc_proj, weight, rules)
    return LossProblem(cells, rules, backend, chosen, weights)


def projected_losses(
    enc_proj: Tensor,
    pred_proj: Tensor,
    weight: Tensor,
    bias: Tensor,
    problem: LossProblem,
) -> Tensor:
    """Return the (weighted) loss of each utterance, (B,); +inf without a path.

    TileGradients are computed in the forward pass, for equal upstream gradients of all
    losses, as a sum or a mean has them; with others the backward pass repeats the work.

    Args:
        enc_proj: (B, T, J).
        pred_proj: (B, U + 1, J).
        weight: (V, J), or (V + Q, J) with Q durations, or (B, V, J) with rows for each
            utterance.
        bias: Like it, without J.
        problem: The rest.
    """
    inputs: tuple[Tensor, ...] = (enc_proj, pred_proj, weight, bias)
    if not torch.is_grad_enabled():
        # A Function looks at the inputs alone and would compute their gradients.
        inputs = tuple(tensor.detach() for tensor in inputs)
    losses: Tensor = _ProjectedLoss.apply(*inputs, problem)
    return losses


class _ProjectedLoss(torch.autograd.Function):
    """Holds no more than the inputs and their gradients between the passes."""

    @staticmethod
    def forward(
        ctx: Any,
        enc: Tensor,
        pred: Tensor,
        weight: Tensor,
        bias: Tensor,
        problem: LossProblem,
    ) -> Tensor:
        """Return losses (B,)."""
        scale = problem.weights
        if scale is None:
            scale = torch.ones(len(enc), device=enc.device, dtype=_precise(enc))
        inputs = (enc.detach(), pred.detach(), weight.detach(), bias.detach())
        gradients = _zeros(inputs) if any(ctx.needs_input_grad) else None
        with torch.autocast(enc.device.type, enabled=False):
            losses = problem.losses(inputs, scale, gradients)
        weighted = losses if problem.weights is None else losses * scale
        ctx.problem, ctx.scale = problem, scale
        ctx.gradients = gradients and _like(gradients, inputs)
        ctx.save_for_backward(enc, pred, weight, bias, losses)
        return weighted

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        """Scale the gradients; compute them anew if the upstream ones differ."""
        *inputs, losses = ctx.saved_tensors
        upstream = grad_outputs[0]
        counted = losses.isfinite() & (ctx.scale != 0)
        # Utterances without a path have gradient 0 whatever comes from above.
        common = torch.where(counted, upstream, -torch.inf).max().nan_to_num(neginf=0.0)
        same = ((upstream == common) | ~counted).all()
        equal, factor = torch.stack([same.to(common.dtype), common]).tolist()
        # Handed on, not copied; a second backward pass finds none.
        gradients, ctx.gradients = ctx.gradients, None
        if gradients and equal:
            if factor != 1.0:
                gradients = [g.mul_(factor) for g in gradients]
            return *gradients, None
        summed = _zeros(inputs)
        with torch.autocast(upstream.device.type, enabled=False):
            ctx.problem.losses(tuple(inputs), ctx.scale * upstream, summed)
        return *_like(summed, inputs), None


def _precise(x: Tensor) -> torch.dtype:
    """Return float32 or better."""
    return torch.promote_types(x.dtype, torch.float32)


def _zeros(inputs: tuple[Tensor, ...] | list[Tensor]) -> TileGradients:
    """Make room for gradients, float32 or better."""
    return TileGradients(*(torch.zeros_like(x, dtype=_precise(x)) for x in inputs))


def _like(
    gradients: TileGradients, inputs: tuple[Tensor, ...] | list[Tensor]
) -> list[Tensor]:
    """Return the gradients in the types of their inputs."""
    found = (gradients.enc, gradients.pred, gradients.weight, gradients.bias)
    return [g.to(x.dtype) for g, x in zip(found, inputs, strict=True)]
