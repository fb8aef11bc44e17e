"""Forward-backward over a pruned lattice: a band of R label counts per frame.

On an anti-diagonal of the regular topology the cells of the band are at most R and
neighbours, because t + first(t) grows strictly with t. So the pruned lattice is again a
band in steps, and neither time nor memory depends on the length of the transcript.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from asrkit.transducer.backends import Backend
from asrkit.transducer.lattices.layout import exp_, pay_blank
from asrkit.transducer.lattices.recursion import choose_scan
from asrkit.transducer.rules import Topology


def occupy_band(
    blank: Tensor,
    label: Tensor,
    ranges: Tensor,
    enc_lens: Tensor,
    token_lens: Tensor,
    topology: Topology,
    U: int,
    backend: Backend,
    allowed: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Sum over all alignments inside the band.

    Args:
        blank: Log-probabilities, (B, T, R).
        label: (B, T, R).
        ranges: Label counts of the band, (B, T, R), int64, as of `prune_ranges`.
        enc_lens: (B,), int64.
        token_lens: (B,), int64.
        topology: Which moves there are.
        U: Labels of the longest transcript.
        backend: TORCH or TRITON.
        allowed: Cells that may emit their next label, (B, T, R), bool; None: all.

    Returns:
        Log-likelihoods (B,), -inf where the band holds no path; occupations of blank
        and label (B, T, R).
    """
    if topology is Topology.CONSTRAINED:
        label = pay_blank(blank, label)
    frames = torch.arange(blank.shape[1], device=blank.device)[None, :, None]
    valid = frames < enc_lens[:, None, None]
    blank_valid = valid & (ranges <= token_lens[:, None, None])
    label_valid = valid & (ranges < token_lens[:, None, None])
    if allowed is not None:
        label_valid = label_valid & allowed
    blank = blank.masked_fill(~blank_valid, -torch.inf)
    label = label.masked_fill(~label_valid, -torch.inf)
    B, _, R = blank.shape
    first = ranges[..., 0]
    if topology is Topology.REGULAR:
        bottom, end, where = _diagonals(first, R, U, enc_lens, token_lens)
    else:
        bottom, end, where = _frames(first, R, enc_lens, token_lens)
    S = len(bottom) - 1
    steps = torch.arange(S, device=blank.device)
    rows = torch.arange(R, device=blank.device)
    gaps = blank.new_full((B, S * R + 1), -torch.inf)
    flat = where.reshape(B, -1)
    blank, label = (
        gaps.scatter(1, flat, x.reshape(B, -1))[:, :-1].view(B, S, R)
        for x in (blank, label)
    )
    final = token_lens - bottom[-1]
    shift = bottom[1:] > bottom[:-1]
    blank, label = (x.permute(1, 2, 0).contiguous() for x in (blank, label))
    over = (steps[:, None, None] >= end) & (rows[:, None] == final)
    blank = torch.where(over, 0.0, blank)
    # A band that ends below or above an utterance's last cell has no path to it.
    missed = (final < 0) | (final >= R)
    blank, label = (x.masked_fill(missed, -torch.inf) for x in (blank, label))
    final = final.clamp(0, R - 1)
    log_likelihood, *occupations = _forward_backward(
        blank, label, shift, final, backend
    )
    back = [
        F.pad(x.permute(2, 0, 1).reshape(B, S * R), (0, 1))
        .gather(1, flat)
        .view(ranges.shape)
        for x in occupations
    ]
    return (
        log_likelihood,
        torch.where(blank_valid, back[0], 0.0),
        torch.where(label_valid, back[1], 0.0),
    )


def _frames(
    first: Tensor, R: int, enc_lens: Tensor, token_lens: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Lay out by frames: bottom of the band (S + 1, B), end (B,), places (B, T, R)."""
    B, T = first.shape
    times = torch.arange(T + 1, device=first.device)
    last = torch.minimum(times, (enc_lens[:, None] - 1).clamp(min=0))
    bottom = first.gather(1, last)
    # The last frame's label arc may end just above its band: the cell there is after
    # all frames, where no band applies.
    above = (token_lens[:, None] - bottom == R) & (enc_lens > 0)[:, None]
    bottom = bottom + (above & (times >= enc_lens[:, None]))
    places = torch.arange(T * R, device=first.device).view(1, T, R).expand(B, -1, -1)
    return bottom.T, enc_lens, places


def _diagonals(
    first: Tensor, R: int, U: int, enc_lens: Tensor, token_lens: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Lay out by anti-diagonals; returns as `_frames`."""
    B, T = first.shape
    S = T + U
    times = torch.arange(S + 1, device=first.device)
    # Frames after the last one stand in the final row.
    first = F.pad(first, (0, S + 1 - T))
    first = torch.where(times < enc_lens[:, None], first, token_lens[:, None])
    # `first` never falls, so that `entry` rises strictly: the newest frame
    # on a diagonal is found by a binary search.
    entry = first + times  # diagonal on which a frame's lowest cell lies
    steps = times.expand(B, -1).contiguous()
    newest = torch.searchsorted(entry, steps, right=True) - 1
    bottom = steps - newest
    diagonals = entry[:, :T, None] + torch.arange(R, device=first.device)
    index = newest.gather(1, diagonals.clamp(max=S).flatten(1)).view(B, T, R)
    index = index - times[:T, None]
    outside = (diagonals >= S) | (index < 0) | (index >= R)
    # Cells off the lattice's end share one place that no step has.
    places = torch.where(outside, S * R, diagonals * R + index)
    return bottom.T, enc_lens + token_lens, places


def _forward_backward(
    blank: Tensor, label: Tensor, shift: Tensor, final: Tensor, backend: Backend
) -> tuple[Tensor, Tensor, Tensor]:
    """Return log-likelihoods (B,) and occupations of blank and label, (S, R, B).

    Args:
        blank: (S, R, B).
        label: (S, R, B).
        shift: Whether the band moves up after a step, (S, B).
        final: Row of the final cell in the last step, (B,).
        backend: TORCH or TRITON.
    """
    S, R, B = blank.shape
    moved = shift[:, None]
    # In the reversed lattice an arc starts where it ended here.
    back_blank = torch.where(moved, _up(blank), blank).flip(0, 1)
    back_label = torch.where(moved, label, _down(label)).flip(0, 1)
    both = choose_scan(backend)(
        torch.cat([blank, back_blank], dim=2),
        torch.cat([label, back_label], dim=2),
        torch.cat([shift, shift.flip(0)], dim=1),
        torch.cat([torch.zeros_like(final), R - 1 - final]),
    )
    total = both.total(torch.cat([final, final]))[:B]
    offsets = both.offsets[:S, :B] + both.offsets[:S, B:].flip(0)
    offsets = offsets - total.masked_fill(total == -torch.inf, 0.0)
    before = both.scores[:S, :, :B] + offsets[:, None].to(blank.dtype)
    beta = both.scores[:S, :, B:].flip(0, 1)  # of the step after
    after_blank = torch.where(moved, _down(beta), beta)
    after_label = torch.where(moved, beta, _up(beta))
    return (
        total.to(blank.dtype),
        exp_(before + after_blank + blank),
        exp_(before + after_label + label),
    )


def _up(x: Tensor) -> Tensor:
    """Move row i + 1 to i, (S, R, B); -inf comes in."""
    return F.pad(x, (0, 0, 0, 1), value=-torch.inf)[:, 1:]


def _down(x: Tensor) -> Tensor:
    """Move row i - 1 to i, (S, R, B); -inf comes in."""
    return F.pad(x, (0, 0, 1, 0), value=-torch.inf)[:, :-1]
