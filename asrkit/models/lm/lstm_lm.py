"""An LSTM language model over the recognizer's tokens."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from asrkit.models.dropout import Dropout
from asrkit.models.lm.language_model import LanguageModel, LanguageModelConfig, State
from asrkit.utils.ranges import check_range


@dataclass(kw_only=True)
class LstmLmConfig(LanguageModelConfig):
    """The LSTM language model."""

    kind = "LSTM"

    num_layers: int = 2
    """LSTM layers."""
    dim: int = 256
    """Dimension of the embedding and of every layer."""
    dropout: float = 0.3
    """Dropout probability of the embedding and after every layer."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_range(self, "lm.model", "num_layers", "dim", least=1)
        check_range(self, "lm.model", "dropout", least=0, below=1)

    def build(self, vocab_size: int) -> "LstmLm":
        """Make the model for a vocabulary of `vocab_size` tokens with blank."""
        return LstmLm(
            vocab_size, num_layers=self.num_layers, dim=self.dim, dropout=self.dropout
        )


class LstmLm(LanguageModel):
    """Layers of LSTM (Hochreiter and Schmidhuber, 1997) with dropout between them.

    Memory: h and c of every layer, (N, layers, D) each. Arguments as in
    `LstmLmConfig`.
    """

    def __init__(
        self, vocab_size: int, *, num_layers: int, dim: int, dropout: float
    ) -> None:
        super().__init__(vocab_size, dim)
        self.layers = nn.ModuleList(Lstm(dim) for _ in range(num_layers))
        self.dropout = Dropout(dropout)

    def contexts(self, embedded: Tensor) -> Tensor:
        """Map (B, U, D) to (B, U, D)."""
        x = self.dropout(embedded)
        for layer in self.layers:
            x = self.dropout(layer(x)[0])
        return x

    def first(self, count: int, device: torch.device) -> State:
        """Return h and c, all 0."""
        shape = (count, len(self.layers), self.embedding.embedding_dim)
        zeros = torch.zeros(shape, dtype=self.output_bias.dtype, device=device)
        return zeros, zeros

    def step(self, memory: State, embedded: Tensor) -> State:
        """Read one token each."""
        x = embedded[:, None]
        hidden, cells = [], []
        for index, layer in enumerate(self.layers):
            h, c = (m[None, :, index].contiguous() for m in memory)
            x, (h, c) = layer(x, (h, c))
            hidden.append(h[0])
            cells.append(c[0])
        return torch.stack(hidden, dim=1), torch.stack(cells, dim=1), x[:, 0]

    def keep(self, emitted: Tensor, stepped: State, memory: State) -> State:
        """Choose h and c by row."""
        rows = emitted[:, None, None]
        pairs = zip(stepped, memory, strict=True)
        return tuple(torch.where(rows, new, old) for new, old in pairs)


class Lstm(nn.LSTM):
    """One layer, over (B, U, D)."""

    def __init__(self, dim: int) -> None:
        super().__init__(dim, dim, batch_first=True)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        # The tensors of a copy lie apart; cuDNN wants them in one piece, as the
        # original's are, and would move and warn about them in every call.
        self.flatten_parameters()
