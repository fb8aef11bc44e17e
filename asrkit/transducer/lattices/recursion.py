"""The recursion that all lattices share: one step a time, two arcs a cell.

A lattice is laid out in steps. In a step every cell of a band of W label counts is
left by two arcs: `blank` keeps the label count u, `label` makes it u + 1. The regular
topology's steps are its anti-diagonals t + u, the monotonic one's are its frames; a
full lattice is a band as wide as the transcript that never moves, a pruned one a narrow
band that moves up by `shift` (0 or 1) between steps. After an utterance's last arc its
final cell carries on with log-probability 0: all utterances end at the last step.

The backward pass is the same recursion over the reversed lattice; both run as one
batch.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from asrkit.transducer.backends import Backend

RENORMALIZE = 8
"""Steps between two subtractions of the largest score."""


@dataclass(frozen=True)
class Scan:
    """Scores of all cells: the log-sum (or best) over the paths into each."""

    scores: Tensor
    """(S + 1, W, B), relative to `offsets`."""
    offsets: Tensor
    """(S + 1, B), float64: long paths keep their precision in float32."""

    def total(self, final: Tensor) -> Tensor:
        """Return the scores of the final cells, at rows `final` (B,); (B,), float64."""
        last = self.scores[-1].gather(0, final[None]).squeeze(0)
        return last.double() + self.offsets[-1]


Combine = Callable[..., Tensor]
"""torch.logaddexp sums over paths, torch.maximum finds the best."""


def scan(
    blank: Tensor,
    label: Tensor,
    shift: Tensor | None,
    start: Tensor,
    combine: Combine = torch.logaddexp,
) -> Scan:
    """Run the recursion.

    Args:
        blank: Log-probabilities by step, row of the band and utterance, (S, W, B),
            contiguous; -inf where there is no arc.
        label: (S, W, B).
        shift: Whether the band moves up after a step, (S, B), bool; None: never.
        start: Row of the first cell in the first band, (B,), int64.
        combine: Joins the two ways into a cell.
    """
    S, W, B = blank.shape
    scores = blank.new_empty((S + 1, W, B))
    scores[0] = -torch.inf
    scores[0].scatter_(0, start[None], 0.0)
    offsets = torch.zeros((S + 1, B), dtype=torch.float64, device=blank.device)
    # One row more than the band: label of the last row leads out of it.
    stay = blank.new_full((W + 1, B), -torch.inf)
    move, both = stay.clone(), stay.clone()
    now, after = scores.unbind()[:-1], scores.unbind()[1:]
    shifts = [None] * S if shift is None else shift.unbind()
    arcs = zip(blank.unbind(), label.unbind(), shifts, strict=True)
    stay_in, move_in, move_low = stay[:W], move[1:], move[:W]
    for step, (blanks, labels, up) in enumerate(arcs):
        # Graves (2012), section 2.4: alpha(t, u) = alpha(t - 1, u) blank(t - 1, u) +
        # alpha(t, u - 1) label(t, u - 1), in logarithms; a step does it for a whole
        # anti-diagonal (Bagby et al., 2018, call the layout skewed).
        torch.add(now[step], blanks, out=stay_in)
        torch.add(now[step], labels, out=move_in)
        if up is None:
            combine(stay_in, move_low, out=after[step])
        else:
            combine(stay, move, out=both)
            torch.where(up, both[1:], both[:W], out=after[step])
        # Scores of long paths are large and differ little: relative to the best one,
        # float32 keeps the difference (Rabiner, 1989, section V.A, scales likewise).
        if step % RENORMALIZE == RENORMALIZE - 1:
            largest = after[step].amax(dim=0).clamp_(min=-1e30)
            after[step].sub_(largest)
            offsets[step + 1] = largest
    return Scan(scores, offsets.cumsum_(0))


def choose_scan(backend: Backend) -> Callable[..., Scan]:
    """Return the recursion in torch or as a Triton kernel."""
    if backend is not Backend.TRITON:
        return scan
    from asrkit.transducer.kernels.lattice import scan as triton_scan

    def run(blank: Tensor, label: Tensor, shift: Tensor | None, start: Tensor) -> Scan:
        # A program of the kernel reads one utterance's rows.
        scores, offsets = triton_scan(
            blank.transpose(1, 2).contiguous(),
            label.transpose(1, 2).contiguous(),
            shift,
            start,
        )
        return Scan(scores.transpose(1, 2).contiguous(), offsets)

    return run
