"""Losses from logits with log-softmax, gather, lattice and gradient merged."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from asrkit.transducer.arcs import arc_log_probs, logit_gradient
from asrkit.transducer.rules import Rules

Occupy = Callable[..., tuple[Tensor, ...]]
"""Maps arcs to log-likelihoods and occupations, as `occupy_whole` does."""


def merged_losses(
    logits: Tensor,
    index: Tensor,
    enc_lens: Tensor,
    rules: Rules,
    occupy: Occupy,
    *,
    reuse_logits: bool,
) -> Tensor:
    """Return the loss of each utterance, (B,); +inf where there is no path.

    Args:
        logits: (B, T, W, V + Q); W is U + 1, or R of a pruned lattice; Q durations.
        index: Id of the next label of every cell, (B, T, W), int64.
        enc_lens: Valid frames, (B,), int64.
        rules: How logits become scores.
        occupy: Runs forward-backward over the cells.
        reuse_logits: Write the gradient over `logits`.
    """
    losses: Tensor = _MergedLoss.apply(
        logits, index, enc_lens, rules, occupy, reuse_logits
    )
    return losses


class _MergedLoss(torch.autograd.Function):
    """Nothing of the logits' size is kept but the logits."""

    @staticmethod
    def forward(
        ctx: Any,
        logits: Tensor,
        index: Tensor,
        enc_lens: Tensor,
        rules: Rules,
        occupy: Occupy,
        reuse_logits: bool,
    ) -> Tensor:
        """Return the loss of each utterance, (B,)."""
        found = arc_log_probs(_precise(logits), index, rules)
        blank, label, normalizer, *jumps = found
        label = rules.penalize(label, enc_lens)
        log_likelihood, *occupations = occupy(blank, label, *jumps)
        ctx.save_for_backward(logits, normalizer, index, *occupations)
        ctx.rules, ctx.reuse_logits = rules, reuse_logits
        return -log_likelihood

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradient with respect to the logits."""
        logits, normalizer, index, *occupations = ctx.saved_tensors
        # Occupations are the gradient of log P by the arcs (Graves, 2012, section 2.4),
        # so no graph of the recursion is kept: the chain rule starts from them.
        scale = grad_outputs[0][:, None, None]
        arcs = ctx.rules.arc_gradients(*(x * scale for x in occupations))
        precise = _precise(logits)
        fresh = precise is logits and not ctx.reuse_logits
        gradient = logit_gradient(
            precise,
            normalizer,
            index,
            arcs,
            ctx.rules,
            out=torch.empty_like(precise) if fresh else precise,
        )
        return gradient.to(logits.dtype), *[None] * 5


def next_labels(tokens: Tensor, token_lens: Tensor) -> Tensor:
    """Return the label after each row of a lattice, (B, U + 1); 0 where there is none.

    Padding may hold anything.
    """
    rows = torch.arange(tokens.shape[1], device=tokens.device)
    return F.pad(tokens.masked_fill(rows >= token_lens[:, None], 0), (0, 1))


def _precise(logits: Tensor) -> Tensor:
    """Return logits in float32 or better."""
    return logits.to(torch.promote_types(logits.dtype, torch.float32))
