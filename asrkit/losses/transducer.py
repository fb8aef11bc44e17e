"""What the criteria over a transducer's lattice share."""

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from asrkit.losses.criterion import Criterion, LossConfig
from asrkit.losses.ctc import CtcCriterion
from asrkit.models.asr_model import AsrModel
from asrkit.transducer.backends import Backend
from asrkit.transducer.rules import Rules, Topology, drop_impossible


@dataclass(frozen=True)
class Side:
    """What losses from projections take, in the order of their arguments."""

    enc_proj: Tensor
    pred_proj: Tensor
    weight: Tensor
    bias: Tensor

    def arguments(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return the four tensors."""
        return self.enc_proj, self.pred_proj, self.weight, self.bias


def project(model: AsrModel, enc_out: Tensor, tokens: Tensor) -> Side:
    """Project both sides of the joiner, the whole batch at once."""
    joiner = model.joiner
    return Side(
        joiner.enc_proj(enc_out),
        joiner.pred_proj(model.predictor(tokens)),
        joiner.output.weight,
        joiner.output.bias,
    )


class TransducerCriterion(Criterion):
    """Sums the losses of a batch's utterances; those without a path are counted.

    Args:
        options: Keyword arguments of the loss: topology and the like.
    """

    modules_used = ("predictor", "joiner")

    def __init__(self, options: dict[str, Any]) -> None:
        super().__init__()
        self.options = {**options, "reduction": "none", "impossible": "inf"}

    @abstractmethod
    def losses(
        self,
        model: AsrModel,
        enc_out: Tensor,
        enc_lens: Tensor,
        tokens: Tensor,
        token_lens: Tensor,
    ) -> Tensor:
        """Return the loss of each utterance, (B,); +inf where there is no path."""

    def forward(
        self,
        model: AsrModel,
        enc_out: Tensor,
        enc_lens: Tensor,
        tokens: Tensor,
        token_lens: Tensor,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss summed over the batch."""
        losses = self.losses(model, enc_out, enc_lens, tokens, token_lens)
        losses, count = drop_impossible(losses)
        return losses.sum(), {"without_path": count}


@dataclass(kw_only=True)
class TransducerLossConfig(LossConfig):
    """Settings that all transducer losses share."""

    names = ("transducer", "ctc")

    weights: dict[str, float] = field(
        default_factory=lambda: {"transducer": 1.0, "ctc": 0.3}
    )
    """Weight of each criterion: transducer, ctc."""
    topology: Topology = Topology.REGULAR
    """REGULAR, MONOTONIC (one label or blank per frame) or CONSTRAINED."""
    delay_penalty: float = 0.0
    """Makes late labels cost more, per frame; try 0.001 to 0.01."""
    fastemit: float = 0.0
    """Share by which gradients through labels grow; try 0.001 to 0.01."""
    hat: bool = False
    """Blank as a sigmoid of its own: the labels' part is a language model."""
    backend: Backend = Backend.AUTO
    """AUTO, TORCH, TRITON; loss=full knows TORCHAUDIO and K2, too."""

    def __post_init__(self) -> None:
        """Check the values."""
        super().__post_init__()
        Rules(self.topology, 0, self.delay_penalty, self.fastemit, self.hat)
        peers = (Backend.TORCHAUDIO, Backend.K2)
        if self.backend in peers and not self.has_peers():
            raise ValueError(
                f"loss.backend={self.backend.name} computes loss=full only"
            )

    def has_peers(self) -> bool:
        """Say whether other packages compute this loss, too."""
        return False

    def options(self) -> dict[str, Any]:
        """Return the shared keyword arguments of the loss functions."""
        return {
            "topology": self.topology,
            "delay_penalty": self.delay_penalty,
            "fastemit": self.fastemit,
            "hat": self.hat,
            "backend": self.backend,
        }

    def criterion(self, name: str, model: AsrModel) -> Criterion:
        """Make CTC, or the transducer loss."""
        return CtcCriterion() if name == "ctc" else self.transducer(model)

    @abstractmethod
    def transducer(self, model: AsrModel) -> Criterion:
        """Make the transducer loss for a model."""


def no_autocast(tensor: Tensor) -> torch.autocast:
    """Return a context in which lattices are computed in float32."""
    return torch.autocast(tensor.device.type, enabled=False)
