"""What every encoder owes the model."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor


class Encoder(Protocol):
    """Maps features to encoder frames."""

    output_dim: int
    """Model dimension, D."""

    def __call__(self, feats: Tensor, feat_lens: Tensor) -> tuple[Tensor, Tensor]:
        """Map feats (B, T_in, F) and feat_lens (B,) to (B, T, D) and (B,)."""
        ...

    def layers(self, feats: Tensor, feat_lens: Tensor) -> tuple[list[Tensor], Tensor]:
        """Do the same, but return what each block gave; the last is the output."""
        ...


@dataclass(kw_only=True)
class EncoderConfig:
    """Base class of the encoders' settings."""

    @abstractmethod
    def build(self, num_bins: int) -> Encoder:
        """Make the encoder for features of `num_bins` bins."""
