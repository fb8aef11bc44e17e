"""Learning-rate schedules: pure functions of how far training is."""

import itertools
import math
from abc import abstractmethod
from dataclasses import dataclass

from asrkit.utils.ranges import check_range
from asrkit.utils.training_progress import TrainingProgress


@dataclass(kw_only=True)
class ScheduleConfig:
    """Base class of the schedules: what to multiply the peak learning rate by."""

    @abstractmethod
    def factor(self, progress: TrainingProgress) -> float:
        """Return the factor on the learning rate of the next update."""


@dataclass(kw_only=True)
class OneCycleConfig(ScheduleConfig):
    """Linear warm-up, then a cosine down to `final`."""

    warmup: float = 0.1
    """Share of the training spent rising, 0 to 1."""
    start: float = 0.04
    """Factor at the beginning."""
    final: float = 0.001
    """Factor at the end."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_range(self, "schedule", "warmup", least=0, below=1)
        check_range(self, "schedule", "start", "final", least=0)

    def factor(self, progress: TrainingProgress) -> float:
        """Return the factor on the learning rate of the next update."""
        return one_cycle(
            progress.share, warmup=self.warmup, start=self.start, final=self.final
        )


@dataclass(kw_only=True)
class TriangleConfig(ScheduleConfig):
    """RWTH's one-cycle: linear up, linear down, then a linear tail (papers: OCLR)."""

    rise: float = 0.45
    """Share of the training spent rising, 0 to 1."""
    fall: float = 0.45
    """Share of the training spent falling to `low`, 0 to 1."""
    start: float = 0.1
    """Factor at the beginning."""
    low: float = 0.1
    """Factor after the fall."""
    final: float = 0.00125
    """Factor at the end of the tail."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        _check_shares(self, "rise", "fall")
        check_range(self, "schedule", "start", "low", "final", least=0)

    def factor(self, progress: TrainingProgress) -> float:
        """Return the factor on the learning rate of the next update."""
        points = [
            (0.0, self.start),
            (self.rise, 1.0),
            (self.rise + self.fall, self.low),
            (1.0, self.final),
        ]
        return piecewise_linear(progress.share, points)


@dataclass(kw_only=True)
class ConstantThenDecayConfig(ScheduleConfig):
    """RWTH's schedule to go on with: constant, linear down, then a linear tail."""

    hold: float = 0.45
    """Share of the training at the peak, 0 to 1."""
    fall: float = 0.45
    """Share of the training spent falling to `low`, 0 to 1."""
    low: float = 0.125
    """Factor after the fall."""
    final: float = 0.0125
    """Factor at the end of the tail."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        _check_shares(self, "hold", "fall")
        check_range(self, "schedule", "low", "final", least=0)

    def factor(self, progress: TrainingProgress) -> float:
        """Return the factor on the learning rate of the next update."""
        points = [
            (self.hold, 1.0),
            (self.hold + self.fall, self.low),
            (1.0, self.final),
        ]
        return piecewise_linear(progress.share, points)


@dataclass(kw_only=True)
class EdenConfig(ScheduleConfig):
    """Falls with updates and with epochs, not with the share done.

    Equation 8 of Zipformer (Yao et al., 2024); epochs count with fractions. icefall's
    epoch reads every utterance at three speeds: where each is read at one speed, drawn
    at random, three epochs make one of icefall's.
    """

    updates: float = 7500.0
    """Updates after which the factor starts to fall in earnest."""
    epochs: float = 3.5
    """Epochs after which it does."""
    warmup: int = 500
    """Updates spent rising."""
    start: float = 0.5
    """What the warm-up starts from."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_range(self, "schedule", "updates", "epochs", above=0)
        check_range(self, "schedule", "warmup", "start", least=0)

    def factor(self, progress: TrainingProgress) -> float:
        """Return the factor on the learning rate of the next update."""
        # ((n^2 + a^2) / a^2)^(-1/4): flat for n << a, then falling as n^(-1/2).
        by_update = (1.0 + (progress.update / self.updates) ** 2) ** -0.25
        by_epoch = (1.0 + (progress.epochs / self.epochs) ** 2) ** -0.25
        rise = [(0.0, self.start), (float(self.warmup), 1.0)]
        return by_update * by_epoch * piecewise_linear(float(progress.update), rise)


@dataclass(kw_only=True)
class ConstantConfig(ScheduleConfig):
    """A short linear warm-up, then constant."""

    warmup: float = 0.0
    """Share of the training spent rising from 0, 0 to 1."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_range(self, "schedule", "warmup", least=0, most=1)

    def factor(self, progress: TrainingProgress) -> float:
        """Return the factor on the learning rate of the next update."""
        return min(1.0, progress.share / self.warmup) if self.warmup > 0 else 1.0


def _check_shares(config: ScheduleConfig, first: str, second: str) -> None:
    """Check that two parts of a training are shares of it, and their sum is."""
    check_range(config, "schedule", first, second, least=0, most=1)
    total = getattr(config, first) + getattr(config, second)
    if total > 1:
        raise ValueError(
            f"schedule.{first} and schedule.{second} are shares of one training: their "
            f"sum must be at most 1, got {total:g}"
        )


def one_cycle(share: float, *, warmup: float, start: float, final: float) -> float:
    """Rise linearly from `start` to 1 until `warmup`, then fall as a cosine."""
    if share < warmup:
        return start + (1.0 - start) * share / warmup
    # Loshchilov and Hutter (2017), equation 5, one cycle without restarts.
    fallen = min(1.0, (share - warmup) / (1.0 - warmup))
    return final + (1.0 - final) * 0.5 * (1.0 + math.cos(math.pi * fallen))


def piecewise_linear(x: float, points: list[tuple[float, float]]) -> float:
    """Interpolate linearly between points (x, y) of rising x; constant outside."""
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        if x < x1:
            return y0 + (y1 - y0) * max(0.0, x - x0) / (x1 - x0)
    return points[-1][1]
