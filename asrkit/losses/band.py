"""Full-sum training that begins near an alignment and ends with all paths."""

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from asrkit.losses.criterion import Encoded
from asrkit.transducer.lattices.aligned_band import AlignedBand, aligned_band
from asrkit.transducer.rules import Topology
from asrkit.utils.ranges import check_range
from asrkit.utils.training_progress import TrainingProgress


@dataclass(kw_only=True)
class BandConfig:
    """Paths near an alignment, before all of them (arXiv 2011.03072)."""

    radii: list[int] = field(default_factory=list)
    """Encoder frames that a label may be away from where the alignment has it, one
    after another for equal times, e.g. [0, 2, 5, 10]; none: all paths from the start.
    The stage has to name `alignments`."""
    share: float = 0.5
    """Share of the training with a band; after it all paths count."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_range(self, "loss.band", "radii", least=0)
        check_range(self, "loss.band", "share", above=0, most=1)

    def radius(self, progress: TrainingProgress) -> int | None:
        """Return how far labels may be from the alignment now; None: anywhere."""
        if not self.radii or progress.share >= self.share:
            return None
        return self.radii[math.floor(progress.share / self.share * len(self.radii))]


def band_of(batch: Encoded, radius: int, topology: Topology) -> AlignedBand:
    """Return the band around a batch's alignment."""
    assert batch.alignment is not None
    T = batch.enc_out.shape[1]
    return aligned_band(
        label_frames(batch.alignment, batch.tokens.shape[1]),
        batch.enc_lens,
        batch.token_lens,
        radius=radius,
        num_frames=T,
        topology=topology,
    )


def label_frames(alignment: Tensor, num_labels: int) -> Tensor:
    """Return the frame of each label, (B, U), of the label of each frame, (B, T)."""
    T = alignment.shape[1]
    times = torch.arange(T, device=alignment.device)
    frames = torch.where(alignment != 0, times, T).sort(dim=1).values
    return frames[:, :num_labels]
