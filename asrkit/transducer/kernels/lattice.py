"""The recursion of `asrkit.transducer.lattices.recursion` as one kernel launch.

One program runs one lattice: its band stays in registers over all steps, where torch
would launch several kernels a step.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

_RENORMALIZE = 8  # steps between subtractions of the largest score


def scan(
    blank: Tensor, label: Tensor, shift: Tensor | None, start: Tensor
) -> tuple[Tensor, Tensor]:
    """Sum over the paths into each cell.

    The batch stands before the band, so that a program reads what is contiguous.

    Args:
        blank: Log-probabilities, (S, B, W); -inf where there is no arc.
        label: (S, B, W).
        shift: Whether the band moves up after a step, (S, B), bool; None: never.
        start: Row of the first cell in the first band, (B,), int64.

    Returns:
        Scores (S + 1, B, W), and the offsets (S + 1, B), float64, they are relative to.
    """
    S, B, W = blank.shape
    scores = blank.new_empty((S + 1, B, W))
    offsets = torch.empty((S + 1, B), dtype=torch.float64, device=blank.device)
    # A label leads out of a band's last row, where a shift takes it back in.
    block = max(32, triton.next_power_of_2(W + (shift is not None)))
    if B:
        _scan_kernel[(B,)](
            blank.contiguous(),
            label.contiguous(),
            None if shift is None else shift.contiguous().view(torch.uint8),
            start,
            scores,
            offsets,
            S,
            B,
            W,
            BLOCK=block,
            EVERY=_RENORMALIZE,
            STAGES=4
            if block * blank.itemsize <= 4096
            else 2,  # what shared memory holds
            num_warps=min(8, max(1, block // 128)),
        )
    return scores, offsets


@triton.jit(do_not_specialize=["S", "B", "W"])  # type: ignore[untyped-decorator]
def _scan_kernel(
    blank: tl.tensor,
    label: tl.tensor,
    shift: tl.tensor,
    start: tl.tensor,
    scores: tl.tensor,
    offsets: tl.tensor,
    S: tl.tensor,
    B: tl.tensor,
    W: tl.tensor,
    BLOCK: tl.constexpr,
    EVERY: tl.constexpr,
    STAGES: tl.constexpr,
) -> None:
    """Run a lattice; pointers to contiguous tensors, shapes as of `scan`."""
    row = tl.program_id(0).to(tl.int64)  # step * B + lattice
    cells = tl.arange(0, BLOCK)
    inside = cells < W
    nothing = tl.full((BLOCK,), float("-inf"), blank.dtype.element_ty)
    score = tl.where(cells == tl.load(start + row), 0.0, nothing)
    offset = tl.zeros((1,), tl.float64)
    one = tl.arange(0, 1)
    tl.store(scores + row * W + cells, score, mask=inside)
    tl.store(offsets + row + one, offset)
    for step in tl.range(0, S, num_stages=STAGES):
        at = row * W + cells
        stay = score + tl.load(blank + at, mask=inside, other=float("-inf"))
        move = score + tl.load(label + at, mask=inside, other=float("-inf"))
        moved = tl.gather(move, tl.maximum(cells - 1, 0), 0)
        score = _log_add(stay, tl.where(cells == 0, nothing, moved))
        if shift is not None:
            # Above the last row is nothing: the block is wider than the band.
            above = tl.gather(score, tl.minimum(cells + 1, BLOCK - 1), 0)
            score = tl.where(tl.load(shift + row) != 0, above, score)
        score = tl.where(inside, score, nothing)
        if step % EVERY == EVERY - 1:
            largest = tl.max(score, 0)
            largest = tl.where(largest == float("-inf"), 0.0, largest)
            score -= largest
            offset += largest.to(tl.float64)
        row += B
        tl.store(scores + row * W + cells, score, mask=inside)
        tl.store(offsets + row + one, offset)


@triton.jit  # type: ignore[untyped-decorator]
def _log_add(a: tl.tensor, b: tl.tensor) -> tl.tensor:
    """Return log(exp(a) + exp(b)); of two -inf it is -inf, of a NaN it is NaN."""
    larger = tl.where(a > b, a, b)
    total = larger + tl.log(1.0 + tl.exp(-tl.abs(a - b)))
    return tl.where(a == b, a + 0.6931471805599453, total)
