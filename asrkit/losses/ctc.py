"""Connectionist temporal classification (Graves et al., 2006), and what helps it.

Intermediate CTC (Lee and Watanabe, ICASSP 2021, arXiv 2102.03216); consistency of two
views, CR-CTC (Yao et al., ICLR 2025, arXiv 2410.05101).
"""

import math
from dataclasses import dataclass, field

import torch.nn.functional as F
from torch import Tensor

from asrkit.losses.criterion import (
    CTC_CRITERIA,
    BatchShape,
    Criterion,
    Encoded,
    LossConfig,
)
from asrkit.losses.timing import TimingCriterion
from asrkit.models.asr_model import AsrModel
from asrkit.utils.lengths import make_pad_mask


class CtcCriterion(Criterion):
    """CTC of the model's CTC head; blank is id 0.

    An utterance that no path can cover (labels and repeats outnumber the frames) has
    loss and gradient 0; the data report counts them before training.

    Args:
        depth: Share of the encoder's blocks below the head, more than 0 to 1. The head
            is the same at every depth.
    """

    modules_used = ("ctc_head",)

    def __init__(self, depth: float = 1.0) -> None:
        super().__init__()
        self.depth = depth

    def forward(
        self, model: AsrModel, batch: Encoded
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss summed over the batch."""
        log_probs = self._log_probs(model, batch).transpose(0, 1)
        loss = F.ctc_loss(
            log_probs, *batch.targets, reduction="sum", zero_infinity=True
        )
        return loss, {}

    def _log_probs(self, model: AsrModel, batch: Encoded) -> Tensor:
        if self.depth == 1.0:
            return batch.ctc_log_probs(model)
        layer = math.ceil(self.depth * len(batch.layers)) - 1
        return model.ctc_log_probs(batch.layers[layer])


class ConsistencyCriterion(Criterion):
    """How far the CTC posteriors of a batch's two views are apart.

    With z_a and z_b the posteriors of a frame in one view and the other, and sg what no
    gradient passes (Yao et al., 2025), the sum over the frames of

        KL(sg z_b || z_a) + KL(sg z_a || z_b)

    Their factor of a half comes with the mean over both views' frames. In validation
    there is one view, and nothing to compare.

    Args:
        ramp: Share of the training in which the criterion grows from 0 to its weight.
    """

    modules_used = ("ctc_head",)
    views = 2

    def __init__(self, ramp: float) -> None:
        super().__init__()
        self.ramp = ramp

    def forward(
        self, model: AsrModel, batch: Encoded
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss summed over the batch."""
        if batch.views == 1:
            return batch.enc_out.new_zeros(()), {}
        log_probs = batch.ctc_log_probs(model)
        other = log_probs.detach().roll(len(log_probs) // 2, dims=0)
        distance = F.kl_div(log_probs, other, reduction="none", log_target=True)
        padding = make_pad_mask(batch.enc_lens, log_probs.shape[1])
        total = distance.sum(dim=2).masked_fill(padding, 0.0).sum()
        share = self.progress.share / self.ramp if self.ramp else 1.0
        return min(1.0, share) * total, {}


def ctc_criterion(name: str, config: LossConfig) -> Criterion:
    """Make one of `CTC_CRITERIA`."""
    if name == "cr_ctc":
        return ConsistencyCriterion(config.cr_ramp)
    if name == "timing":
        return TimingCriterion()
    return CtcCriterion(depth=0.5 if name == "inter_ctc" else 1.0)


@dataclass(kw_only=True)
class CtcLossConfig(LossConfig):
    """CTC alone."""

    name = "ctc"
    criteria = CTC_CRITERIA

    weights: dict[str, float] = field(
        default_factory=lambda: {"ctc": 1.0, "timing": 1.0}
    )
    """Weight of each criterion: ctc, inter_ctc (half way up the encoder), cr_ctc (two
    views of a batch alike), timing (when labels are spoken; changes nothing else)."""

    def lattice_numbers(
        self, shape: BatchShape, vocab_size: int, joiner_dim: int
    ) -> float:
        """Return 0: all has a fixed size a frame."""
        return 0.0

    def criterion(self, name: str, model: AsrModel) -> Criterion:
        """Make CTC."""
        return ctc_criterion(name, self)
