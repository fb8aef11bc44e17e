"""What a streaming encoder remembers from chunk to chunk."""

from collections.abc import Collection
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class BlockState:
    """What a block remembers of B streams."""

    key: Tensor
    """Keys of the last P frames, without positions, (B, H, P, D / H)."""
    value: Tensor
    """Values of the same frames, (B, H, P, D / H)."""
    conv: Tensor
    """What the depthwise convolution saw of the last frames, (B, D, K // 2)."""

    def where(self, rows: Tensor, other: "BlockState") -> "BlockState":
        """Return this in the rows (B,), bool, and another elsewhere."""
        return BlockState(
            _where(rows, self.key, other.key),
            _where(rows, self.value, other.value),
            _where(rows, self.conv, other.conv),
        )


@dataclass(frozen=True)
class StreamState:
    """What an encoder remembers of B streams: tensors whose shapes never change.

    A stream that begins has zeros everywhere.
    """

    feats: Tensor
    """Feature frames that the subsampling still needs, (B, subsampling - 1, F)."""
    blocks: tuple[BlockState, ...]
    """Of each block."""
    processed: Tensor
    """Encoder frames so far, (B,), int64: those before a stream began are not seen."""

    def where(self, rows: Tensor, other: "StreamState") -> "StreamState":
        """Return this in the rows (B,), bool, and another elsewhere."""
        pairs = zip(self.blocks, other.blocks, strict=True)
        return StreamState(
            _where(rows, self.feats, other.feats),
            tuple(mine.where(rows, theirs) for mine, theirs in pairs),
            _where(rows, self.processed, other.processed),
        )

    def reset(self, rows: Collection[int]) -> "StreamState":
        """Return the state with new streams in these rows."""
        keep = torch.ones_like(self.processed, dtype=torch.bool)
        keep[list(rows)] = False
        zeros = StreamState(
            torch.zeros_like(self.feats),
            tuple(
                BlockState(
                    torch.zeros_like(one.key),
                    torch.zeros_like(one.value),
                    torch.zeros_like(one.conv),
                )
                for one in self.blocks
            ),
            torch.zeros_like(self.processed),
        )
        return self.where(keep, zeros)

    def attention_mask(self, enc_lens: Tensor, size: int) -> Tensor:
        """Return what a chunk's frames attend to: remembered frames, then their own.

        Args:
            enc_lens: Frames that the chunk has of each stream, (B,).
            size: Frames of the chunk, S.

        Returns:
            (B, 1, 1, P + S), bool. Streams without a frame see one that is none, as a
            softmax must see something.
        """
        room = self.blocks[0].key.shape[2]
        place = torch.arange(room + size, device=enc_lens.device)
        begun = place >= room - self.processed[:, None]
        mask = begun & (place < room + enc_lens[:, None]) | (place == room)
        return mask[:, None, None, :]


def _where(rows: Tensor, one: Tensor, other: Tensor) -> Tensor:
    return one.where(rows.view(-1, *[1] * (one.ndim - 1)), other)
