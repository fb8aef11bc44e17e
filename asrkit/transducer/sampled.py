"""Transducer loss over a sampled part of the vocabulary (Lee et al., 2022)."""

from torch import Tensor

from asrkit.transducer.backends import Backend
from asrkit.transducer.checks import check_tokens
from asrkit.transducer.fused import choose_budget
from asrkit.transducer.rules import (
    Impossible,
    Reduction,
    Rules,
    Topology,
    reduce_losses,
)
from asrkit.transducer.sampling import Vocabulary
from asrkit.transducer.tiled.projected import make_problem, projected_losses


def sampled_loss(
    enc_proj: Tensor,
    pred_proj: Tensor,
    weight: Tensor,
    bias: Tensor,
    tokens: Tensor,
    enc_lens: Tensor,
    token_lens: Tensor,
    *,
    vocabulary: Vocabulary,
    log_q_correction: bool = False,
    ranges: Tensor | None = None,
    topology: Topology | str = Topology.REGULAR,
    reduction: Reduction | str = Reduction.SUM,
    delay_penalty: float = 0.0,
    fastemit: float = 0.0,
    hat: bool = False,
    impossible: Impossible | str = Impossible.ZERO,
    backend: Backend | str = Backend.AUTO,
) -> Tensor:
    """Loss whose softmax runs over `vocabulary` instead of all V tokens.

    The joiner is evaluated for the sampled tokens only, tile by tile as in
    `fused_loss`. With the whole vocabulary sampled it is the exact loss.

    Args:
        enc_proj: (B, T, J).
        pred_proj: (B, U + 1, J).
        weight: (V, J); rows that are not sampled get gradient 0.
        bias: (V,).
        tokens: (B, U), int64.
        enc_lens: (B,), int64.
        token_lens: (B,), int64.
        vocabulary: Of `sample_vocabulary`, for these tokens.
        log_q_correction: Divide a drawn token's exponentiated logit by its probability
            to be drawn: the softmax's denominator is unbiased then.
        ranges: Of `prune_ranges`, (B, T, R), for the loss over that band alone.
        topology: As the rest, see `transducer_loss`; blank is id 0.
        reduction: "sum", "mean" or "none".
        delay_penalty: Added to labels.
        fastemit: Growth of gradients through labels.
        hat: Blank as a sigmoid.
        impossible: "zero" or "inf".
        backend: AUTO, TORCH or TRITON.

    Raises:
        ValueError: An argument is out of range.
    """
    rules = Rules(Topology(topology), 0, delay_penalty, fastemit, hat)
    check_tokens(tokens, token_lens, len(weight))
    ids = vocabulary.ids
    chosen = weight.index_select(0, ids.flatten()).view(*ids.shape, -1)
    offset = bias.index_select(0, ids.flatten()).view(ids.shape)
    if log_q_correction:
        # An estimate of sum_k exp(z_k) from a sample divides each term by the
        # probability that it is in the sample (Horvitz and Thompson, 1952); blank and
        # labels always are.
        offset = offset - vocabulary.log_inclusion.to(bias.dtype)
    sides = enc_proj, pred_proj, chosen, offset
    problem = make_problem(
        *sides,
        vocabulary.positions(tokens),
        enc_lens,
        token_lens,
        rules=rules,
        allowed=None,
        ranges=ranges,
        backend=backend,
        budget=choose_budget,
        weights=None,
    )
    losses = projected_losses(*sides, problem)
    return reduce_losses(losses, reduction, impossible)
