"""What all transducer losses agree on: topology, blank, penalties, reduction."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import torch
import torch.nn.functional as F
from torch import Tensor

logger = logging.getLogger(__name__)


class Topology(str, Enum):
    """Which moves a lattice allows from the cell (t, u)."""

    REGULAR = "regular"
    """Graves (2012): blank to (t + 1, u), the next label to (t, u + 1)."""
    MONOTONIC = "monotonic"
    """One label or blank per frame (RNA; k2's "modified"): label to (t + 1, u + 1)."""
    CONSTRAINED = "constrained"
    """As monotonic; a label also pays the blank of (t, u + 1) (k2's "constrained")."""


class Reduction(str, Enum):
    """What a loss returns."""

    SUM = "sum"
    MEAN = "mean"
    """Over utterances."""
    NONE = "none"


class Impossible(str, Enum):
    """The loss of an utterance that no path can cover; its gradient is 0."""

    ZERO = "zero"
    INF = "inf"


@dataclass(frozen=True)
class Rules:
    """How logits become the score of a path.

    Raises:
        ValueError: A value is out of range, or two of them exclude each other.
    """

    topology: Topology = Topology.REGULAR
    blank_id: int = 0
    delay_penalty: float = 0.0
    """Added to a label at frame t, times (T - 1) / 2 - t (Kang et al., 2022)."""
    fastemit: float = 0.0
    """Share by which the gradient through labels grows (Yu et al., 2021)."""
    hat: bool = False
    """Blank is a sigmoid of its logit, labels a softmax of theirs (Variani, 2020)."""
    durations: tuple[int, ...] = ()
    """Frames that an arc may move on by (TDT, Xu et al., 2023): as many logits of a
    softmax of their own follow those of the tokens; none: the topology tells."""
    sigma: float = 0.0
    """Taken from each arc's log-probability where there are durations, so that paths of
    fewer arcs get more (Xu et al., 2023: logit under-normalization)."""

    def __post_init__(self) -> None:
        """Check the values."""
        if self.hat and self.blank_id != 0:
            raise ValueError(f"hat needs blank_id 0, got {self.blank_id}")
        if self.fastemit < 0:
            raise ValueError(f"fastemit is negative: {self.fastemit}")
        if self.durations:
            check_durations("durations", self.durations)
            if self.topology is not Topology.REGULAR:
                raise ValueError(
                    "durations need topology regular: they are the moves themselves, "
                    f"got {self.topology.value}"
                )
        elif self.sigma:
            raise ValueError(f"sigma={self.sigma:g} needs durations")

    def penalize(self, label: Tensor, enc_lens: Tensor) -> Tensor:
        """Add the delay penalty to label arcs (B, T, W)."""
        if self.delay_penalty == 0.0:
            return label
        # Centred at the middle frame, so that a penalty moves labels without favouring
        # few or many of them (Kang et al., 2022).
        times = torch.arange(label.shape[1], device=label.device, dtype=label.dtype)
        middle = (enc_lens.to(label.dtype) - 1) / 2
        return label + (self.delay_penalty * (middle[:, None] - times))[..., None]

    def split(self, outputs: Tensor) -> tuple[Tensor, Tensor]:
        """Part the joiner's outputs (..., V + Q): tokens (..., V), durations (..., Q).

        Q is 0 where there are no durations.
        """
        V = outputs.shape[-1] - len(self.durations)
        return outputs[..., :V], outputs[..., V:]

    def arc_gradients(
        self, blank: Tensor, label: Tensor, *durations: Tensor
    ) -> tuple[Tensor, ...]:
        """Turn occupations (..., W) into the gradient of the log-likelihood.

        With respect to the log-probabilities of blank, label and durations, as the
        lattice got them before `penalize`.
        """
        if self.topology is Topology.CONSTRAINED:
            # The blank that a label arc pays belongs to the next row.
            blank = blank + F.pad(label, (1, 0))[..., : blank.shape[-1]]
        if self.fastemit:
            label = label * (1.0 + self.fastemit)
        return blank, label, *durations


def check_durations(name: str, durations: Sequence[int]) -> None:
    """Raise ValueError for durations that leave frames out of reach."""
    good = min(durations) >= 0 and len({*durations}) == len(durations)
    if not good or 1 not in durations:
        raise ValueError(
            f"{name} must be different numbers of frames from 0 on, 1 among them, e.g. "
            f"[0, 1, 2, 3, 4], got {[*durations]}"
        )


def reduce_losses(
    losses: Tensor, reduction: Reduction | str, impossible: Impossible | str
) -> Tensor:
    """Sum, average or keep losses (B,), where +inf stands for no path.

    Raises:
        ValueError: `reduction` or `impossible` is unknown.
    """
    reduction, impossible = Reduction(reduction), Impossible(impossible)
    if impossible is Impossible.ZERO:
        losses, count = drop_impossible(losses)
        if not losses.is_cuda and count:  # on a GPU asking would wait for it
            logger.warning(
                "%d of %d utterances have no path through the lattice: loss 0",
                int(count),
                len(losses),
            )
    match reduction:
        case Reduction.SUM:
            return losses.sum()
        case Reduction.MEAN:
            return losses.mean()
    return losses


def drop_impossible(losses: Tensor) -> tuple[Tensor, Tensor]:
    """Return losses (B,) with 0 in place of +inf, and how many there were."""
    no_path = losses.detach() == torch.inf
    return torch.where(no_path, 0.0, losses), no_path.sum()
