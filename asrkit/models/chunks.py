"""Chunks of encoder frames: what a frame sees if the encoder is to stream.

One set of weights serves whole utterances and streams when chunks of several sizes are
met in training, whole utterances among them (Zhang et al., 2020, arXiv 2012.05481).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

from asrkit.utils.ranges import check_range


@dataclass(frozen=True)
class Chunking:
    """A frame sees its own chunk and those before it, and nothing of the next."""

    size: int
    """Encoder frames of a chunk."""
    left: int | None = None
    """Chunks before its own that attention sees; None: all."""


@dataclass(kw_only=True)
class EncoderChunksConfig:
    """What a frame sees in training: drawn for each batch from these.

    Outside training frames see the whole utterance.
    """

    sizes: list[int | None] = field(default_factory=list)
    """Encoder frames (40 ms each, 80 with `subsampling=8`) of a chunk, e.g.
    [8, 16, 32, null]; null: the whole utterance. None of them: always the whole
    utterance."""
    left: list[int | None] = field(default_factory=lambda: [None])
    """Chunks before its own that a frame's attention sees, e.g. [2, 4, null]; null:
    all of them. Streams need a number, and a model that has met it."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_range(self, "encoder.chunks", "sizes", least=1)
        check_range(self, "encoder.chunks", "left", least=0)
        if not self.left:
            raise ValueError("encoder.chunks.left is empty: [null] sees all")

    def pool(self) -> list[Chunking | None]:
        """Return what is drawn from, each as likely; None: the whole utterance."""
        return [
            None if size is None else Chunking(size, left)
            for size in self.sizes
            for left in self.left
        ]


def draw(pool: Sequence[Chunking | None]) -> Chunking | None:
    """Draw from torch's generator, whose state checkpoints hold; no pool: None."""
    return pool[int(torch.randint(len(pool), ()))] if pool else None


def chunk_mask(num_frames: int, chunking: Chunking, device: torch.device) -> Tensor:
    """Return which frames (columns) a frame (row) attends to, (T, T), bool."""
    chunk = torch.arange(num_frames, device=device) // chunking.size
    behind = chunk[:, None] - chunk[None, :]
    seen = behind >= 0
    return seen if chunking.left is None else seen & (behind <= chunking.left)


def attention_mask(pad_mask: Tensor, chunking: Chunking | None) -> Tensor:
    """Return what frames attend to, (B, 1, 1, T) or (B, 1, T, T), bool.

    Args:
        pad_mask: (B, T), bool; True is padding.
        chunking: None: to the whole utterance.
    """
    speech = ~pad_mask[:, None, None, :]
    if chunking is None:
        return speech
    num_frames, device = pad_mask.shape[1], pad_mask.device
    # Frames of padding see themselves, as a softmax must see something.
    itself = torch.eye(num_frames, dtype=torch.bool, device=device)
    return speech & chunk_mask(num_frames, chunking, device) | itself


def chunk_columns(x: Tensor, size: int) -> Tensor:
    """Put each chunk of x (B, D, T) in a column: (B, D, S, N), N = ceil(T / S).

    Zeros fill the last one.
    """
    x = F.pad(x, (0, -x.shape[2] % size))
    return x.unflatten(2, (-1, size)).transpose(2, 3)
