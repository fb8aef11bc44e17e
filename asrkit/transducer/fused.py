"""Fused transducer loss: exact, tiled over time, logits never held."""

from collections.abc import Sequence

import torch
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

# Logits that are kept between the passes instead of computed twice.
_KEEP = {"cpu": 32 * 2**20, "cuda": 0}  # bytes
_GROUP = {"cpu": 2**20, "cuda": 2**24}  # cells


def fused_loss(
    enc_proj: Tensor,
    pred_proj: Tensor,
    weight: Tensor,
    bias: Tensor,
    tokens: Tensor,
    enc_lens: Tensor,
    token_lens: Tensor,
    *,
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
    """Exact loss of weight @ tanh(enc_proj + pred_proj) + bias in the least memory.

    Utterances are cut into tiles over time. Pass 1 keeps two scalars a cell, the
    lattice runs on those, pass 2 computes each tile's logits again and turns them into
    gradients in place (on a CPU it finds them kept, as far as 32 MiB go). Memory beyond
    inputs and their gradients: O(cells of a group) and one tile. With Triton the logits
    of pass 1 live in registers and shared memory only.

    Args:
        enc_proj: (B, T, J).
        pred_proj: (B, U + 1, J).
        weight: (V, J).
        bias: (V,).
        tokens: (B, U), int64.
        enc_lens: (B,), int64.
        token_lens: (B,), int64.
        ranges: Of `prune_ranges` or `aligned_band`, (B, T, R), for the loss over that
            band alone.
        allowed: Of `aligned_band`, (B, T, R), bool: cells of the band that may emit
            their next label; None: all.
        weights: Factor of each utterance's loss, (B,), as in `sample_wise_loss`.
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
        budget=choose_budget,
        weights=weights,
    )
    losses = projected_losses(enc_proj, pred_proj, weight, bias, problem)
    return reduce_losses(losses, reduction, impossible)


def choose_budget(enc_proj: Tensor, weight: Tensor, rules: Rules) -> Budget:
    """Choose tiles for a device from the size of a cell."""
    device = "cpu" if enc_proj.device.type == "cpu" else "cuda"
    size = torch.promote_types(enc_proj.dtype, torch.float32).itemsize
    # Kept logits save the second evaluation; on a GPU the products are cheap and memory
    # is not.
    keep = _KEEP[device] // (size * weight.shape[-2])
    group = _GROUP[device] // (1 + len(rules.durations))  # each is two arcs a cell
    return Budget(tile_cells(enc_proj, weight), keep, group)
