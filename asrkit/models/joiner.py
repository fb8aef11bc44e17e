"""The joiner: weight @ tanh(enc_proj + pred_proj) + bias, and its distribution."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from asrkit.transducer.arcs import output_log_probs
from asrkit.utils.ranges import check_range


@dataclass(kw_only=True)
class JoinerConfig:
    """The additive joiner."""

    dim: int = 512
    """Joiner dimension, J."""
    hat: bool = False
    """Blank as a sigmoid of its own: the labels' part is a language model (HAT)."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_range(self, "joiner", "dim", least=1)

    def build(self, enc_dim: int, pred_dim: int, vocab_size: int) -> "Joiner":
        """Make the joiner between an encoder and a predictor."""
        return Joiner(enc_dim, pred_dim, vocab_size, dim=self.dim, hat=self.hat)


class Joiner(nn.Module):
    """Joins encoder and predictor by a sum in J dimensions.

    The projections and the output are apart, so that a loss can project each side
    once and evaluate the output only where it needs it. What its logits mean, only
    the joiner knows: whoever needs probabilities asks `log_probs`, or takes `hat`.

    Args:
        enc_dim: Encoder dimension, D.
        pred_dim: Predictor dimension.
        vocab_size: Tokens with blank, V.
        dim: Joiner dimension, J.
        hat: Blank is the sigmoid of its logit, the labels are a softmax of theirs
            (Variani et al., 2020); False: one softmax over all.
    """

    def __init__(
        self,
        enc_dim: int,
        pred_dim: int,
        vocab_size: int,
        *,
        dim: int,
        hat: bool = False,
    ) -> None:
        super().__init__()
        self.enc_proj = nn.Linear(enc_dim, dim)
        self.pred_proj = nn.Linear(pred_dim, dim, bias=False)
        self.output = nn.Linear(dim, vocab_size)
        self.hat = hat
        if not hat:
            # Most frames have no label: before anything is learnt, blank is as likely
            # as all labels together, as with a sigmoid of its own.
            nn.init.constant_(self.output.bias[:1], math.log(vocab_size - 1))

    def forward(self, enc_proj: Tensor, pred_proj: Tensor) -> Tensor:
        """Map projections that broadcast to (..., J) to logits (..., V)."""
        return self.output(torch.tanh(enc_proj + pred_proj))

    def log_probs(
        self, enc_proj: Tensor, pred_proj: Tensor, *, blank_penalty: float = 0.0
    ) -> Tensor:
        """Return log-probabilities (..., V), float32 or better.

        Args:
            enc_proj: Broadcasts with pred_proj to (..., J).
            pred_proj: The other side.
            blank_penalty: Taken from the logit of blank before anything is normalised,
                with `hat` before its sigmoid: what blank loses, the labels get.
        """
        logits = _precise(self(enc_proj, pred_proj))
        if blank_penalty:
            logits[..., 0] -= blank_penalty
        return output_log_probs(logits, hat=self.hat)

    def label_log_probs(self, enc_proj: Tensor, pred_proj: Tensor) -> Tensor:
        """Return log-probabilities of the labels given that one is emitted.

        (..., V - 1), without blank; float32 or better. Blank's share is a factor of
        all labels' in either distribution, so the two agree here.
        """
        logits = _precise(self(enc_proj, pred_proj))
        return logits[..., 1:].log_softmax(dim=-1)


def _precise(logits: Tensor) -> Tensor:
    """Return logits in float32 or better."""
    return logits.to(torch.promote_types(logits.dtype, torch.float32))
