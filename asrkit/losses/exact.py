"""What the criteria over all paths share: they train a joiner with durations, too."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from asrkit.losses.criterion import Encoded
from asrkit.losses.transducer import TransducerCriterion, TransducerLossConfig
from asrkit.models.asr_model import AsrModel
from asrkit.models.joiner import Joiner
from asrkit.transducer.lattices.jump_sums import watch_jumps
from asrkit.utils.ranges import check_range

OF_JUMPS = ("arcs", "arc_frames", "arc_entropy")
"""Sums over the paths of a joiner with durations, as of `JumpSums`."""


def summarize_jumps(sums: Mapping[str, float]) -> dict[str, float]:
    """Return the mean jump, frames, and the mean entropy of the durations, nats.

    Args:
        sums: Those of `OF_JUMPS` among others; empty where there are none.
    """
    arcs, frames, entropy = (sums.get(name, 0.0) for name in OF_JUMPS)
    if not arcs:
        return {}
    return {"mean_jump": frames / arcs, "duration_entropy": entropy / arcs}


@dataclass(frozen=True)
class DurationTraining:
    """How a joiner's durations are trained; has no effect where there are none."""

    sigma: float
    omega: float


@dataclass(frozen=True)
class Moves:
    """Which of a joiner's outputs a loss takes, and how arcs move on."""

    outputs: int
    """The first of the V + Q."""
    options: dict[str, Any] = field(default_factory=dict)
    """Keyword arguments of the loss."""

    def first(self, x: Tensor, dim: int) -> Tensor:
        """Return these of all outputs along a dimension."""
        # A view of them all would cost a copy of the gradient.
        whole = x.shape[dim] == self.outputs
        return x if whole else x.narrow(dim, 0, self.outputs)


class ExactCriterion(TransducerCriterion):
    """Sums over all paths; those of tokens and durations where the joiner has both.

    Args:
        options: Keyword arguments of the loss, as `TransducerLossConfig.options`.
        durations: How those of a joiner are trained. Validation takes all of its
            distribution as it is.
    """

    def __init__(self, options: dict[str, Any], durations: DurationTraining) -> None:
        super().__init__(options)
        self.durations = durations

    def forward(
        self, model: AsrModel, batch: Encoded
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss summed over the batch."""
        with watch_jumps() as jumps:
            loss, stats = super().forward(model, batch)
        if model.joiner.durations:
            none = loss.new_zeros(len(OF_JUMPS))
            total = none if jumps.total is None else jumps.total
            stats |= dict(zip(OF_JUMPS, total.unbind(), strict=True))
        return loss, stats

    def draw_moves(self, joiner: Joiner) -> Moves:
        """Choose the paths of a batch: now and then those of the tokens alone."""
        if not joiner.durations:
            return Moves(joiner.vocab_size)
        sigma, omega = self.durations.sigma, self.durations.omega
        if self.training and omega and float(torch.rand(())) < omega:
            return Moves(joiner.vocab_size)
        options = {"durations": joiner.durations, "sigma": sigma * self.training}
        return Moves(joiner.vocab_size + len(joiner.durations), options)


@dataclass(kw_only=True)
class ExactLossConfig(TransducerLossConfig):
    """Settings that the exact losses share."""

    takes_durations = True

    sigma: float = 0.02
    """Of a joiner with durations: taken from each arc's log-probability in training, so
    that paths of fewer arcs get more; 0 to 0.05."""
    omega: float = 0.1
    """Of a joiner with durations: share of the batches that train its tokens alone, as
    if there were no durations."""

    def __post_init__(self) -> None:
        """Check the values."""
        super().__post_init__()
        check_range(self, "loss", "sigma", least=0)
        check_range(self, "loss", "omega", least=0, below=1)

    @property
    def durations(self) -> DurationTraining:
        """How durations are trained."""
        return DurationTraining(self.sigma, self.omega)
