"""What a training criterion is, and the weighted sum of several."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor, nn

from asrkit.models.asr_model import AsrModel
from asrkit.utils.loss_output import LossOutput


class Criterion(nn.Module, ABC):
    """Maps a model and an encoded batch to a summed loss; may own parameters."""

    modules_used: ClassVar[tuple[str, ...]]
    """Parts of the model that it trains besides the encoder."""

    @abstractmethod
    def forward(
        self,
        model: AsrModel,
        enc_out: Tensor,
        enc_lens: Tensor,
        tokens: Tensor,
        token_lens: Tensor,
    ) -> Tensor:
        """Return the loss summed over the batch, a scalar.

        Args:
            model: The recognizer.
            enc_out: (B, T, D).
            enc_lens: (B,), int64.
            tokens: (B, U), int64.
            token_lens: (B,), int64.
        """


@dataclass(kw_only=True)
class LossConfig:
    """Base class of the losses' settings: what is summed, with which weights."""

    weights: dict[str, float] = field(default_factory=dict)
    """Weight of each criterion, e.g. ctc; one without a weight is not computed."""

    def __post_init__(self) -> None:
        """Check the weights against what there is."""
        known = self.criteria()
        for name, weight in self.weights.items():
            if name not in known:
                raise ValueError(
                    f"loss.weights.{name}: no such criterion here; choose from "
                    f"{', '.join(sorted(known))}"
                )
            if weight < 0:
                raise ValueError(f"loss.weights.{name} is negative: {weight}")
        if not any(self.weights.values()):
            raise ValueError("loss.weights: give at least one criterion a weight")

    @abstractmethod
    def criteria(self) -> dict[str, Criterion]:
        """Make every criterion that may have a weight."""

    def build(self) -> "WeightedCriterion":
        """Make the weighted sum."""
        criteria = self.criteria()
        weights = {name: w for name, w in self.weights.items() if w > 0}
        return WeightedCriterion({name: criteria[name] for name in weights}, weights)


class WeightedCriterion(nn.Module):
    """A weighted sum of criteria over one pass of the encoder, per encoder frame.

    Args:
        criteria: By name.
        weights: Of the same names.
    """

    def __init__(
        self, criteria: Mapping[str, Criterion], weights: Mapping[str, float]
    ) -> None:
        super().__init__()
        self.criteria = nn.ModuleDict(criteria)
        self.weights = dict(weights)
        self._modules_used = {n for c in criteria.values() for n in c.modules_used}

    @property
    def modules_used(self) -> set[str]:
        """Parts of the model that are trained."""
        return self._modules_used | {"encoder"}

    def forward(
        self,
        model: AsrModel,
        enc_out: Tensor,
        enc_lens: Tensor,
        tokens: Tensor,
        token_lens: Tensor,
    ) -> LossOutput:
        """Return the weighted sum; arguments as in `Criterion.forward`."""
        losses = {
            name: criterion(model, enc_out, enc_lens, tokens, token_lens)
            for name, criterion in self.criteria.items()
        }
        total = torch.stack([self.weights[n] * loss for n, loss in losses.items()])
        loss = total.sum()
        stats = {name: value.detach() for name, value in losses.items()}
        stats["loss"] = loss.detach()
        stats["frames"] = enc_lens.sum()
        stats["tokens"] = token_lens.sum()
        return LossOutput(loss, enc_lens.sum(), stats)
