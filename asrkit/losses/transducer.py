"""What the criteria over a transducer's lattice share."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor

from asrkit.losses.criterion import CTC_CRITERIA, Criterion, Encoded, LossConfig
from asrkit.losses.ctc import ctc_criterion
from asrkit.models.asr_model import AsrModel
from asrkit.transducer.backends import Backend
from asrkit.transducer.rules import Rules, Topology, drop_impossible
from asrkit.utils.ranges import check_range


class TransducerCriterion(Criterion):
    """Sums the losses of a batch's utterances; those without a path are counted.

    Args:
        options: Keyword arguments of the loss, as `TransducerLossConfig.options`.
    """

    modules_used = ("predictor", "joiner")

    def __init__(self, options: dict[str, Any]) -> None:
        super().__init__()
        self.options = options

    @abstractmethod
    def losses(self, model: AsrModel, batch: Encoded) -> Tensor:
        """Return the loss of each utterance, (B,); +inf where there is no path."""

    def forward(
        self, model: AsrModel, batch: Encoded
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss summed over the batch."""
        losses, count = drop_impossible(self.losses(model, batch))
        return losses.sum(), {"without_path": count}


def project(model: AsrModel, batch: Encoded) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return enc_proj (B, T, J), pred_proj (B, U + 1, J), weight (V, J), bias (V,).

    V counts a joiner's durations, too.
    """
    joiner = model.joiner
    return (
        joiner.enc_proj(batch.enc_out),
        joiner.pred_proj(model.predictor(batch.tokens)),
        joiner.output.weight,
        joiner.output.bias,
    )


@dataclass(kw_only=True)
class TransducerLossConfig(LossConfig):
    """Settings that all transducer losses share."""

    criteria: ClassVar[tuple[str, ...]] = ("transducer", *CTC_CRITERIA)

    weights: dict[str, float] = field(
        default_factory=lambda: {"transducer": 1.0, "ctc": 0.3, "timing": 1.0}
    )
    """Weight of each criterion: transducer, ctc, inter_ctc (CTC half way up the
    encoder), cr_ctc (two views of a batch alike: doubles its memory), timing (when
    labels are spoken; changes nothing else)."""
    topology: Topology = Topology.REGULAR
    """REGULAR, MONOTONIC (one label or blank per frame) or CONSTRAINED."""
    delay_penalty: float = 0.0
    """Makes late labels cost more, per frame; try 0.001 to 0.01."""
    fastemit: float = 0.0
    """Share by which gradients through labels grow; try 0.001 to 0.01."""
    backend: Backend = Backend.AUTO
    """AUTO, TORCH, TRITON; loss=full knows TORCHAUDIO and K2, too."""

    def __post_init__(self) -> None:
        """Check the values."""
        super().__post_init__()
        check_range(self, "loss", "fastemit", least=0)
        Rules(self.topology, 0, self.delay_penalty, self.fastemit)
        peers = (Backend.TORCHAUDIO, Backend.K2)
        if self.backend in peers and not self.has_peers():
            raise ValueError(
                f"loss.backend={self.backend.name} computes loss=full only"
            )

    def check_durations(self, durations: Sequence[int]) -> None:
        """Raise ValueError for other moves than those of the durations."""
        super().check_durations(durations)
        if durations and self.topology is not Topology.REGULAR:
            raise ValueError(
                f"loss.topology={self.topology.name} and joiner.durations="
                f"{[*durations]}: durations are the moves themselves; choose REGULAR, "
                "without a duration of 0 where one label a frame is wanted"
            )
        if durations and self.backend in (Backend.TORCHAUDIO, Backend.K2):
            raise ValueError(
                f"loss.backend={self.backend.name} knows no durations; choose AUTO"
            )

    def joiner_outputs(self, frames: int, labels: int, vocab_size: int) -> float:
        """Return those of the whole lattice."""
        return float(frames * (labels + 1) * vocab_size)

    @property
    def paths(self) -> Topology | None:
        """Paths through the lattice that it trains."""
        return self.topology

    def has_peers(self) -> bool:
        """Say whether other packages compute this loss, too."""
        return False

    def options(self, model: AsrModel) -> dict[str, Any]:
        """Return the shared keyword arguments of the loss functions.

        Losses come one by one, impossible ones as +inf: the criterion counts them.
        """
        return {
            "topology": self.topology,
            "delay_penalty": self.delay_penalty,
            "fastemit": self.fastemit,
            "hat": model.joiner.hat,
            "backend": self.backend,
            "reduction": "none",
            "impossible": "inf",
        }

    def criterion(self, name: str, model: AsrModel) -> Criterion:
        """Make what trains the CTC head, or the transducer loss."""
        if name in CTC_CRITERIA:
            return ctc_criterion(name, self)
        return self.transducer(model)

    @abstractmethod
    def transducer(self, model: AsrModel) -> Criterion:
        """Make the transducer loss for a model."""


def no_autocast(tensor: Tensor) -> torch.autocast:
    """Return a context in which lattices are computed in float32."""
    return torch.autocast(tensor.device.type, enabled=False)
