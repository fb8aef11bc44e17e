"""The band of a lattice around an alignment.

Between training along one path (Zhou et al., Interspeech 2022, stage 1) and along all
lie the paths that emit each label at most k frames from where an alignment has it: k=0
is the alignment's own path, k >= T the whole lattice. Mahadeokar et al., SLT 2021
(arXiv 2011.03072), restrict a lattice so.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from asrkit.transducer.checks import trusting
from asrkit.transducer.rules import Topology

_NEVER = 2**31
"""A frame that no utterance has."""


@dataclass(frozen=True)
class AlignedBand:
    """The cells of a lattice near an alignment, as losses over a band take them."""

    ranges: Tensor
    """Label counts of each frame, (B, T, R), int64."""
    allowed: Tensor
    """Whether a cell may emit its next label, (B, T, R), bool."""


@torch.no_grad()
def aligned_band(
    label_frames: Tensor,
    enc_lens: Tensor,
    token_lens: Tensor,
    *,
    radius: int,
    num_frames: int,
    topology: Topology | str = Topology.REGULAR,
) -> AlignedBand:
    """Return the band of paths whose labels are within `radius` frames of an alignment.

    The band has as many rows as its widest frame needs; a loss over it, with `allowed`,
    is the sum over exactly these paths.

    Args:
        label_frames: Frame of each label, (B, U), int64, as `viterbi_align` returns it;
            rising; padding may hold anything.
        enc_lens: (B,), int64.
        token_lens: (B,), int64.
        radius: Frames, k; at least 0.
        num_frames: T.
        topology: Which moves there are.

    Raises:
        ValueError: The radius is negative, or an alignment's labels are outside of its
            utterance or not in order.
    """
    if radius < 0:
        raise ValueError(f"radius must be at least 0, got {radius}")
    U = label_frames.shape[1]
    padding = torch.arange(U, device=label_frames.device) >= token_lens[:, None]
    _check(label_frames, padding, enc_lens)
    frames = label_frames.masked_fill(padding, _NEVER)
    times = torch.arange(num_frames, device=frames.device).expand(len(frames), -1)
    times = times.contiguous()
    # Labels that must be out before a frame, and those that may be out after it.
    least = torch.searchsorted(frames + radius, times)
    most = torch.searchsorted(frames - radius, times, right=True)
    if Topology(topology) is not Topology.REGULAR:
        # A frame climbs one row at most: where several labels are due at once, the
        # band begins lower for a while.
        least = (least - times).cummin(dim=1).values + times
    R = int((most - least).amax()) + 1 if least.numel() else 1
    first = least.clamp(max=U + 1 - R)
    ranges = first[..., None] + torch.arange(R, device=frames.device)
    due = F.pad(frames, (0, 1), value=_NEVER).gather(1, ranges.flatten(1))
    distance = (due.view(ranges.shape) - times[..., None]).abs()
    return AlignedBand(ranges, distance <= radius)


def _check(label_frames: Tensor, padding: Tensor, enc_lens: Tensor) -> None:
    """Raise ValueError for what is no alignment."""
    if trusting():
        return
    outside = (label_frames < 0) | (label_frames >= enc_lens[:, None])
    falls = F.pad(label_frames.diff(dim=1) < 0, (1, 0))
    if bool(((outside | falls) & ~padding).any()):
        raise ValueError(
            "label_frames: labels are outside of their utterance's frames or not in "
            "order; align with the same encoder and tokens"
        )
