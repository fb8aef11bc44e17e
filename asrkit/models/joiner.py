"""The joiner: weight @ tanh(enc_proj + pred_proj) + bias."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from asrkit.utils.ranges import check_range


@dataclass(kw_only=True)
class JoinerConfig:
    """The additive joiner."""

    dim: int = 512
    """Joiner dimension, J."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_range(self, "joiner", "dim", least=1)

    def build(self, enc_dim: int, pred_dim: int, vocab_size: int) -> "Joiner":
        """Make the joiner between an encoder and a predictor."""
        return Joiner(enc_dim, pred_dim, vocab_size, dim=self.dim)


class Joiner(nn.Module):
    """Joins encoder and predictor by a sum in J dimensions.

    The projections and the output are apart, so that a loss can project each side
    once and evaluate the output only where it needs it.

    Args:
        enc_dim: Encoder dimension, D.
        pred_dim: Predictor dimension.
        vocab_size: Tokens with blank, V.
        dim: Joiner dimension, J.
    """

    def __init__(
        self, enc_dim: int, pred_dim: int, vocab_size: int, *, dim: int
    ) -> None:
        super().__init__()
        self.enc_proj = nn.Linear(enc_dim, dim)
        self.pred_proj = nn.Linear(pred_dim, dim, bias=False)
        self.output = nn.Linear(dim, vocab_size)

    def forward(self, enc_proj: Tensor, pred_proj: Tensor) -> Tensor:
        """Map projections that broadcast to (..., J) to logits (..., V)."""
        return self.output(torch.tanh(enc_proj + pred_proj))
