"""Full-sum training that begins near an alignment and ends with all paths."""

import math
from dataclasses import dataclass, field, replace
from enum import Enum

import torch
from torch import Tensor

from asrkit.losses.criterion import Encoded
from asrkit.models.asr_model import AsrModel
from asrkit.transducer.lattices.aligned_band import AlignedBand, aligned_band
from asrkit.transducer.lattices.ctc_path import ctc_path
from asrkit.transducer.rules import Topology
from asrkit.utils.ranges import check_range
from asrkit.utils.training_progress import TrainingProgress


class Source(str, Enum):
    """What aligns the utterances of a batch."""

    STORED = "stored"
    """The stage's `alignments`, made before it began."""
    CTC = "ctc"
    """The model's own CTC head, anew in every update."""


@dataclass(kw_only=True)
class BandConfig:
    """Paths near an alignment, before all of them (arXiv 2011.03072)."""

    radii: list[int] = field(default_factory=list)
    """Encoder frames that a label may be away from where the alignment has it, one
    after another for equal times, e.g. [0, 2, 5, 10]; none: all paths at once."""
    source: Source = Source.STORED
    """STORED (the stage has to name `alignments`) or CTC (the model that is trained
    aligns each batch)."""
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
    frames = label_frames(batch.alignment, batch.tokens.shape[1])
    return _band(frames, batch, radius, topology)


@torch.no_grad()
def band_by_ctc(
    model: AsrModel, batch: Encoded, radius: int, topology: Topology
) -> AlignedBand:
    """Return the band around what the model's CTC head aligns now.

    Where CTC has no path, the band has none either: such utterances are counted.
    """
    log_probs = model.ctc_log_probs(batch.enc_out)
    path = ctc_path(log_probs, batch.enc_lens, batch.tokens, batch.token_lens)
    possible = (path.score > -torch.inf)[:, None]
    frames = path.label_frames.where(possible, 0)
    band = _band(frames, batch, radius, topology)
    return replace(band, allowed=band.allowed & possible[..., None])


def _band(
    frames: Tensor, batch: Encoded, radius: int, topology: Topology
) -> AlignedBand:
    return aligned_band(
        frames,
        batch.enc_lens,
        batch.token_lens,
        radius=radius,
        num_frames=batch.enc_out.shape[1],
        topology=topology,
    )


def label_frames(alignment: Tensor, num_labels: int) -> Tensor:
    """Return the frame of each label, (B, U), of the label of each frame, (B, T)."""
    T = alignment.shape[1]
    times = torch.arange(T, device=alignment.device)
    frames = torch.where(alignment != 0, times, T).sort(dim=1).values
    return frames[:, :num_labels]
