"""The feed-forward predictor of RWTH's transducers (Zhou et al., ICASSP 2021)."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from asrkit.models.dropout import Dropout
from asrkit.models.predictor import Predictor, PredictorConfig
from asrkit.utils.ranges import check_range


@dataclass(kw_only=True)
class FeedForwardPredictorConfig(PredictorConfig):
    """The feed-forward predictor."""

    dim: int = 640
    """Dimension of the layers and of the output."""
    context_size: int = 1
    """Labels it sees: 1 (bigram) or 2 (trigram)."""
    embedding_dim: int = 128
    """Dimension of the embedding."""
    num_layers: int = 2
    """Linear layers, each with a tanh."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        super().__post_init__()
        check_range(self, "predictor", "embedding_dim", "num_layers", least=1)

    def build(self, vocab_size: int) -> "FeedForwardPredictor":
        """Make the predictor for a vocabulary of `vocab_size` tokens with blank."""
        return FeedForwardPredictor(
            vocab_size,
            dim=self.dim,
            context_size=self.context_size,
            embedding_dim=self.embedding_dim,
            num_layers=self.num_layers,
            dropout=self.dropout,
        )


class FeedForwardPredictor(Predictor):
    """Embeds the last labels and maps them through layers with tanh and dropout.

    Where an utterance begins the embedding is zero. Arguments as in
    `FeedForwardPredictorConfig`.
    """

    def __init__(
        self,
        vocab_size: int,
        *,
        dim: int,
        context_size: int,
        embedding_dim: int,
        num_layers: int,
        dropout: float,
    ) -> None:
        super().__init__(dim, context_size)
        self.embedding = nn.Embedding(vocab_size, embedding_dim, padding_idx=0)
        sizes = [context_size * embedding_dim, *[dim] * num_layers]
        self.layers = nn.ModuleList(nn.Linear(size, dim) for size in sizes[:num_layers])
        self.dropout = Dropout(dropout)

    def contexts(self, labels: Tensor) -> Tensor:
        """Map labels (B, context_size - 1 + N) to N outputs (B, N, dim)."""
        N = labels.shape[1] - self.context_size + 1
        places = range(self.context_size)
        return self.after(torch.stack([labels[:, i : i + N] for i in places], dim=-1))

    def after(self, context: Tensor) -> Tensor:
        """Predict after the last labels (..., context_size): (..., dim)."""
        x = self.embedding(context).flatten(-2)
        for layer in self.layers:
            x = self.dropout(torch.tanh(layer(x)))
        return x
