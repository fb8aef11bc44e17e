"""Connectionist temporal classification (Graves et al., 2006)."""

from dataclasses import dataclass, field

import torch.nn.functional as F
from torch import Tensor

from asrkit.losses.criterion import BatchShape, Criterion, Encoded, LossConfig
from asrkit.models.asr_model import AsrModel


class CtcCriterion(Criterion):
    """CTC of the model's CTC head; blank is id 0.

    An utterance that no path can cover (labels and repeats outnumber the frames) has
    loss and gradient 0; the data report counts them before training.
    """

    modules_used = ("ctc_head",)

    def forward(
        self, model: AsrModel, batch: Encoded
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss summed over the batch."""
        log_probs = model.ctc_log_probs(batch.enc_out).transpose(0, 1)
        loss = F.ctc_loss(
            log_probs, *batch.targets, reduction="sum", zero_infinity=True
        )
        return loss, {}


@dataclass(kw_only=True)
class CtcLossConfig(LossConfig):
    """CTC alone."""

    name = "ctc"
    criteria = ("ctc",)

    weights: dict[str, float] = field(default_factory=lambda: {"ctc": 1.0})
    """Weight of each criterion: ctc."""

    def lattice_numbers(
        self, shape: BatchShape, vocab_size: int, joiner_dim: int
    ) -> float:
        """Return 0: all has a fixed size a frame."""
        return 0.0

    def criterion(self, name: str, model: AsrModel) -> Criterion:
        """Make CTC."""
        return CtcCriterion()
