"""The joiner: weight @ tanh(enc_proj + pred_proj) + bias, and its distribution."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from asrkit.transducer.arcs import output_log_probs
from asrkit.transducer.rules import check_durations
from asrkit.utils.ranges import check_range


@dataclass(kw_only=True)
class JoinerConfig:
    """The additive joiner."""

    dim: int = 512
    """Joiner dimension, J."""
    hat: bool = False
    """Blank as a sigmoid of its own: the labels' part is a language model (HAT)."""
    durations: list[int] = field(default_factory=list)
    """Frames that a token may move on by, as the joiner says (TDT), 1 among them, e.g.
    [0,1,2,3,4]; none: blank moves on by one, labels as loss.topology says."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_range(self, "joiner", "dim", least=1)
        check_range(self, "joiner", "durations", least=0)
        if self.durations:
            check_durations("joiner.durations", self.durations)

    def build(self, enc_dim: int, pred_dim: int, vocab_size: int) -> "Joiner":
        """Make the joiner between an encoder and a predictor."""
        return Joiner(
            enc_dim,
            pred_dim,
            vocab_size,
            dim=self.dim,
            hat=self.hat,
            durations=self.durations,
        )


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
        durations: Frames that a token may move on by: Q further outputs, a softmax of
            their own (Xu et al., 2023); none: Q is 0.
    """

    def __init__(
        self,
        enc_dim: int,
        pred_dim: int,
        vocab_size: int,
        *,
        dim: int,
        hat: bool = False,
        durations: Sequence[int] = (),
    ) -> None:
        super().__init__()
        self.enc_proj = nn.Linear(enc_dim, dim)
        self.pred_proj = nn.Linear(pred_dim, dim, bias=False)
        self.output = nn.Linear(dim, vocab_size + len(durations))
        self.vocab_size = vocab_size
        self.hat = hat
        self.durations = tuple(durations)
        if not hat:
            # Most frames have no label: before anything is learnt, blank is as likely
            # as all labels together, as with a sigmoid of its own.
            nn.init.constant_(self.output.bias[:1], math.log(vocab_size - 1))

    def forward(self, enc_proj: Tensor, pred_proj: Tensor) -> Tensor:
        """Map projections that broadcast to (..., J) to logits (..., V + Q)."""
        return self.output(torch.tanh(enc_proj + pred_proj))

    def log_probs(
        self, enc_proj: Tensor, pred_proj: Tensor, *, blank_penalty: float = 0.0
    ) -> Tensor:
        """Return log-probabilities of tokens (..., V), float32 or better.

        Args:
            enc_proj: Broadcasts with pred_proj to (..., J).
            pred_proj: The other side.
            blank_penalty: Taken from the logit of blank before anything is normalised,
                with `hat` before its sigmoid: what blank loses, the labels get.
        """
        logits = _precise(self(enc_proj, pred_proj))
        return self._of_tokens(logits, blank_penalty)

    def arc_log_probs(
        self, enc_proj: Tensor, pred_proj: Tensor, *, blank_penalty: float = 0.0
    ) -> tuple[Tensor, Tensor]:
        """Return log-probabilities of tokens (..., V) and of durations (..., Q).

        Arguments as of `log_probs`; there have to be durations.
        """
        logits = _precise(self(enc_proj, pred_proj))
        durations = logits[..., self.vocab_size :].log_softmax(dim=-1)
        return self._of_tokens(logits, blank_penalty), durations

    def _of_tokens(self, logits: Tensor, blank_penalty: float) -> Tensor:
        """Return log-probabilities of tokens (..., V) from all logits."""
        if blank_penalty:
            logits[..., 0] -= blank_penalty
        return output_log_probs(logits[..., : self.vocab_size], hat=self.hat)

    def label_log_probs(self, enc_proj: Tensor, pred_proj: Tensor) -> Tensor:
        """Return log-probabilities of the labels given that one is emitted.

        (..., V - 1), without blank; float32 or better. Blank's share is a factor of
        all labels' in either distribution, so the two agree here.
        """
        logits = _precise(self(enc_proj, pred_proj))
        return logits[..., 1 : self.vocab_size].log_softmax(dim=-1)


def _precise(logits: Tensor) -> Tensor:
    """Return logits in float32 or better."""
    return logits.to(torch.promote_types(logits.dtype, torch.float32))
