"""Sample-wise transducer loss: utterance by utterance, loss and gradient at once.

Braun, McDermott and Hsiao, "Neural transducer training: reduced memory consumption with
sample-wise computation", ICASSP 2023 (arXiv 2211.16270).
"""

from collections.abc import Sequence

from torch import Tensor

from asrkit.transducer.backends import Backend
from asrkit.transducer.rules import (
    Impossible,
    Reduction,
    Rules,
    Topology,
    reduce_losses,
)
from asrkit.transducer.tiled.projected import make_problem, projected_losses
from asrkit.transducer.tiled.tiles import Budget, tile_cells

MAX_CELLS = 2**14


def sample_wise_loss(
    enc_proj: Tensor,
    pred_proj: Tensor,
    weight: Tensor,
    bias: Tensor,
    tokens: Tensor,
    enc_lens: Tensor,
    token_lens: Tensor,
    *,
    max_cells: int = MAX_CELLS,
    ranges: Tensor | None = None,
    allowed: Tensor | None = None,
    weights: Tensor | None = None,
    blank_id: int = 0,
    topology: Topology | str = Topology.REGULAR,
    reduction: Reduction | str = Reduction.SUM,
    delay_penalty: float = 0.0,
    fastemit: float = 0.0,
    hat: bool = False,
    durations: Sequence[int] = (),
    sigma: float = 0.0,
    impossible: Impossible | str = Impossible.ZERO,
    backend: Backend | str = Backend.AUTO,
) -> Tensor:
    """Exact loss of weight @ tanh(enc_proj + pred_proj) + bias in little memory.

    Utterances are taken at their true lengths, in groups of at most `max_cells` cells
    (one that is larger alone); the logits of one group are in memory at a time:
    O(max_cells V), whatever the batch. Gradients are summed in float32.

    Args:
        enc_proj: (B, T, J).
        pred_proj: (B, U + 1, J).
        weight: (V, J).
        bias: (V,).
        tokens: (B, U), int64.
        enc_lens: (B,), int64.
        token_lens: (B,), int64.
        max_cells: Cells of a group.
        ranges: Of `prune_ranges` or `aligned_band`, (B, T, R), for the loss over that
            band alone.
        allowed: Of `aligned_band`, (B, T, R), bool: cells of the band that may emit
            their next label; None: all.
        weights: Factor of each utterance's loss, (B,): known in advance it costs
            nothing, unequal upstream gradients make the backward pass start anew.
        blank_id: As the rest, see `transducer_loss`.
        topology: Which moves the lattice allows.
        reduction: "sum", "mean" or "none".
        delay_penalty: Added to labels.
        fastemit: Growth of gradients through labels.
        hat: Blank as a sigmoid.
        durations: Of arcs, not in a band; weight (V + Q, J) and bias (V + Q,) then.
        sigma: Taken from each arc's log-probability.
        impossible: "zero" or "inf".
        backend: AUTO, TORCH or TRITON.

    Raises:
        ValueError: An argument is out of range.
    """
    if max_cells < 1:
        raise ValueError(f"max_cells must be positive, got {max_cells}")
    problem = make_problem(
        enc_proj,
        pred_proj,
        weight,
        bias,
        tokens,
        enc_lens,
        token_lens,
        rules=Rules(
            Topology(topology),
            blank_id,
            delay_penalty,
            fastemit,
            hat,
            (*durations,),
            sigma,
        ),
        ranges=ranges,
        allowed=allowed,
        backend=backend,
        budget=lambda enc, weight, _: Budget(
            min(max_cells, tile_cells(enc, weight)),
            max_cells,
            max_cells,
            keep_larger=True,
        ),
        weights=weights,
    )
    losses = projected_losses(enc_proj, pred_proj, weight, bias, problem)
    return reduce_losses(losses, reduction, impossible)
