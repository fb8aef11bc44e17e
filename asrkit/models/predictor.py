"""Predictors that see the last labels only, and nothing before these."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from asrkit.models.dropout import Dropout
from asrkit.utils.ranges import check_range


@dataclass(kw_only=True)
class PredictorConfig:
    """The stateless predictor."""

    dim: int = 512
    """Dimension of the embedding and of the output."""
    context_size: int = 2
    """Labels it sees: 1 (bigram) or 2 (trigram)."""
    dropout: float = 0.1
    """Dropout probability of the output."""

    def __post_init__(self) -> None:
        """Check what the class below cannot express."""
        check_range(self, "predictor", "dim", least=1)
        check_range(self, "predictor", "dropout", least=0, below=1)
        if self.context_size not in (1, 2):
            raise ValueError(
                f"predictor.context_size must be 1 or 2, got {self.context_size}"
            )

    def build(self, vocab_size: int) -> "Predictor":
        """Make the predictor for a vocabulary of `vocab_size` tokens with blank."""
        return StatelessPredictor(
            vocab_size,
            dim=self.dim,
            context_size=self.context_size,
            dropout=self.dropout,
        )


class Predictor(nn.Module, ABC):
    """Maps the last `context_size` labels to a vector; blank (id 0) before the first.

    Args:
        dim: Output dimension.
        context_size: Labels it sees, C.
    """

    def __init__(self, dim: int, context_size: int) -> None:
        super().__init__()
        self.output_dim = dim
        self.context_size = context_size

    def forward(self, tokens: Tensor) -> Tensor:
        """Predict after every prefix of a transcript.

        Args:
            tokens: (B, U), int64.

        Returns:
            pred_out (B, U + 1, dim); row u has seen the first u labels.
        """
        return self.contexts(F.pad(tokens, (self.context_size, 0), value=0))

    @abstractmethod
    def contexts(self, labels: Tensor) -> Tensor:
        """Map labels (B, context_size - 1 + N) to N outputs (B, N, dim)."""

    @abstractmethod
    def after(self, context: Tensor) -> Tensor:
        """Predict after the last labels (..., context_size): (..., dim)."""


class StatelessPredictor(Predictor):
    """The stateless predictor (Ghodsi et al., 2020): an embedding and a convolution.

    Args:
        vocab_size: Tokens with blank, V.
        dim: Output dimension.
        context_size: Labels it sees.
        dropout: Dropout probability of the output.
    """

    def __init__(
        self, vocab_size: int, *, dim: int, context_size: int, dropout: float
    ) -> None:
        super().__init__(dim, context_size)
        self.embedding = nn.Embedding(vocab_size, dim)
        self.conv = nn.Conv1d(dim, dim, context_size, groups=dim, bias=False)
        self.dropout = Dropout(dropout)

    def after(self, context: Tensor) -> Tensor:
        """Predict after the last labels (..., context_size): (..., dim).

        The same as `contexts`, for many short rows: a sum is faster than a convolution.
        """
        # A depthwise convolution over all C labels of a context is a sum of C products.
        weight = self.conv.weight[:, 0].T  # (context_size, dim)
        summed = (self.embedding(context) * weight).sum(dim=-2)
        return self.dropout(F.silu(summed))

    def contexts(self, labels: Tensor) -> Tensor:
        """Map labels (B, context_size - 1 + N) to N outputs (B, N, dim)."""
        embedded = self.embedding(labels).transpose(1, 2)
        return self.dropout(F.silu(self.conv(embedded)).transpose(1, 2))
