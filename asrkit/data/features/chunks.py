"""Utterances cut into pieces of one length, which need next to no padding."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from asrkit.transducer.frame_wise import compact_labels, labels_before
from asrkit.utils.errors import InputError
from asrkit.utils.lengths import make_pad_mask
from asrkit.utils.ranges import check_range


@dataclass(frozen=True)
class Chunks:
    """N pieces of B utterances, those of an utterance in a row."""

    feats: Tensor
    """(N, S, F), 0 in the padding; S is the longest piece: the size, if any utterance
    has it."""
    feat_lens: Tensor
    """(N,), int64."""
    alignment: Tensor
    """Label of every encoder frame, 0 for none and in the padding, (N, T), int64."""
    carried: Tensor
    """The utterance's last labels before the piece, (N, C), int64; 0 stands where
    there were fewer."""


@dataclass(kw_only=True)
class ChunkConfig:
    """Pieces of utterances, as Zhou et al. (Interspeech 2022) train stage 1 on them."""

    size: int = 256
    """Feature frames (10 ms each) of a piece; a multiple of the encoder's
    subsampling."""
    step: int = 128
    """Feature frames (10 ms each) from one piece's start to the next; a multiple of
    the encoder's subsampling, and at most the size."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_range(self, "chunks", "size", "step", least=1)
        if self.step > self.size:
            raise ValueError(
                f"chunks.step {self.step} leaves gaps: chunks.size is {self.size}"
            )

    def build(
        self,
        context_size: int,
        subsampling: int,
        output_lens: Callable[[Tensor], Tensor],
    ) -> "Chunker":
        """Make the chunker.

        Args:
            context_size: Labels that the predictor sees.
            subsampling: Feature frames to an encoder frame.
            output_lens: Returns the encoder frames of feature frames.
        """
        return Chunker(
            self.size,
            self.step,
            context_size=context_size,
            subsampling=subsampling,
            output_lens=output_lens,
        )


class Chunker:
    """Cuts utterances into pieces that overlap.

    A piece starts every `step` frames while there are frames that no piece before
    covers; the last one of an utterance may be shorter.

    Args:
        size: Feature frames of a piece.
        step: Feature frames from one piece's start to the next.
        context_size: Labels carried into a piece, C.
        subsampling: Feature frames to an encoder frame.
        output_lens: Returns the encoder frames of feature frames.

    Raises:
        InputError: `size` or `step` is no multiple of `subsampling`.
    """

    def __init__(
        self,
        size: int,
        step: int,
        *,
        context_size: int,
        subsampling: int,
        output_lens: Callable[[Tensor], Tensor],
    ) -> None:
        for name, value in {"size": size, "step": step}.items():
            if value % subsampling:
                near = max(1, round(value / subsampling)) * subsampling
                raise InputError(
                    f"chunks.{name} must be a multiple of the encoder's subsampling, "
                    f"{subsampling} frames, got {value}; take {near}"
                )
        self.size = size
        self.step = step
        self.context_size = context_size
        self.subsampling = subsampling
        self.output_lens = output_lens

    def __call__(self, feats: Tensor, feat_lens: Tensor, alignment: Tensor) -> Chunks:
        """Cut a batch; waits for the device.

        Args:
            feats: (B, T_in, F).
            feat_lens: (B,), int64.
            alignment: Label of every encoder frame, 0 for none and in the padding,
                (B, T), int64.
        """
        T = int(self.output_lens(feat_lens.max()))
        assert alignment.shape[1] == T, (feats.shape, alignment.shape)
        utterance, starts = self._place(feat_lens)
        lens = (feat_lens[utterance] - starts).clamp(max=self.size)
        first = starts // self.subsampling
        enc_lens = self.output_lens(lens)
        return Chunks(
            _cut(feats, utterance, starts, lens),
            lens,
            _cut(alignment, utterance, first, enc_lens),
            self._carry(alignment, utterance, first),
        )

    def _place(self, feat_lens: Tensor) -> tuple[Tensor, Tensor]:
        """Return each piece's utterance and first feature frame, (N,) each."""
        behind = (feat_lens - self.size).clamp(min=0)  # frames past the first piece
        counts = 1 + (behind + self.step - 1) // self.step
        rows = torch.arange(len(counts), device=counts.device)
        utterance = rows.repeat_interleave(counts)
        before = (counts.cumsum(dim=0) - counts)[utterance]
        pieces = torch.arange(len(utterance), device=counts.device)
        return utterance, (pieces - before) * self.step

    def _carry(self, alignment: Tensor, utterance: Tensor, first: Tensor) -> Tensor:
        """Return the last labels before encoder frame `first` (N,) of each piece."""
        tokens, _ = compact_labels(alignment)
        padded = F.pad(tokens, (self.context_size, 0))
        seen = labels_before(alignment)[utterance, first]
        offsets = torch.arange(self.context_size, device=first.device)
        return padded[utterance[:, None], seen[:, None] + offsets]


def _cut(rows: Tensor, utterance: Tensor, starts: Tensor, lens: Tensor) -> Tensor:
    """Copy rows[utterance, starts : starts + lens] of (B, T, ...), padded with 0."""
    width = int(lens.max())
    frames = starts[:, None] + torch.arange(width, device=starts.device)
    pieces = rows[utterance[:, None], frames.clamp(max=rows.shape[1] - 1)]
    padding = make_pad_mask(lens, width)
    return pieces.masked_fill(padding.view(*padding.shape, *[1] * (rows.ndim - 2)), 0)
