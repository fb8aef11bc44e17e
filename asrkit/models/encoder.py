"""What every encoder owes the model."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from asrkit.models.chunks import Chunking
from asrkit.models.stream_state import StreamState
from asrkit.utils.lengths import IntOrTensor


class Encoder(Protocol):
    """Maps features to encoder frames.

    An `nn.Module`; its blocks are elements of an `nn.ModuleList` called `blocks`, as
    `trainer.shard_model` shares them out and `freeze` names them.
    """

    output_dim: int
    """Model dimension, D."""

    @property
    def subsampling(self) -> int:
        """Feature frames to an encoder frame."""
        ...

    def output_lens(self, lens: IntOrTensor) -> IntOrTensor:
        """Return the encoder frames, T, of `lens` feature frames, T_in."""
        ...

    def __call__(self, feats: Tensor, feat_lens: Tensor) -> tuple[Tensor, Tensor]:
        """Map feats (B, T_in, F) and feat_lens (B,) to (B, T, D) and (B,)."""
        ...

    def layers(self, feats: Tensor, feat_lens: Tensor) -> tuple[list[Tensor], Tensor]:
        """Do the same, but return what each block gave; the last is the output."""
        ...


class StreamingEncoder(Encoder, Protocol):
    """An encoder that works chunk by chunk, too."""

    def encode_chunks(
        self, feats: Tensor, feat_lens: Tensor, chunking: Chunking | None
    ) -> tuple[Tensor, Tensor]:
        """Map whole utterances as a call does, but frames see no more than in chunks.

        None: they see all.
        """
        ...

    def start(self, batch_size: int, *, size: int, left: int) -> StreamState:
        """Return the state of streams that begin.

        Args:
            batch_size: Streams, B.
            size: Encoder frames of a chunk.
            left: Chunks before its own that a frame's attention sees.
        """
        ...

    def step(
        self, feats: Tensor, feat_lens: Tensor, state: StreamState
    ) -> tuple[Tensor, Tensor, StreamState]:
        """Encode the next chunk of each stream.

        Args:
            feats: Normalised features, (B, size * subsampling, F).
            feat_lens: (B,), int64: all of them; fewer in a stream's last chunk, after
                which its row has to be reset; 0 for a stream that stands still.
            state: What `start` or the last step gave.

        Returns:
            enc_out (B, size, D), enc_lens (B,), int64, and the state after it.
        """
        ...


@dataclass(kw_only=True)
class EncoderConfig(ABC):
    """Base class of the encoders' settings.

    They say what the encoder does to time, too: utterances are checked and batches
    planned before there is a model.
    """

    @property
    @abstractmethod
    def subsampling(self) -> int:
        """Feature frames to an encoder frame."""

    @abstractmethod
    def output_lens(self, lens: IntOrTensor) -> IntOrTensor:
        """Return the encoder frames, T, of `lens` feature frames, T_in."""

    @abstractmethod
    def build(self, num_bins: int) -> Encoder:
        """Make the encoder for features of `num_bins` bins."""
