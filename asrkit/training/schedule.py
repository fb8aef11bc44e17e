"""Learning-rate schedules: pure functions of how much of the training is done."""

import itertools
import math
from abc import abstractmethod
from dataclasses import dataclass


@dataclass(kw_only=True)
class ScheduleConfig:
    """Base class of the schedules: what to multiply the peak learning rate by."""

    @abstractmethod
    def factor(self, progress: float) -> float:
        """Return the factor when the share `progress` (0 to 1) is done."""


@dataclass(kw_only=True)
class OneCycleConfig(ScheduleConfig):
    """Linear warm-up, then a cosine down to `final`."""

    warmup: float = 0.1
    """Share of the training spent rising, 0 to 1."""
    start: float = 0.04
    """Factor at the beginning."""
    final: float = 0.001
    """Factor at the end."""

    def factor(self, progress: float) -> float:
        """Return the factor when the share `progress` (0 to 1) is done."""
        return one_cycle(
            progress, warmup=self.warmup, start=self.start, final=self.final
        )


@dataclass(kw_only=True)
class TriangleConfig(ScheduleConfig):
    """RWTH's one-cycle: linear up, linear down, then a linear tail (papers: OCLR)."""

    rise: float = 0.45
    """Share of the training spent rising, 0 to 1."""
    fall: float = 0.45
    """Share of the training spent falling back to `start`, 0 to 1."""
    start: float = 0.1
    """Factor at the beginning and after the fall."""
    final: float = 0.00125
    """Factor at the end of the tail."""

    def factor(self, progress: float) -> float:
        """Return the factor when the share `progress` (0 to 1) is done."""
        points = [
            (0.0, self.start),
            (self.rise, 1.0),
            (self.rise + self.fall, self.start),
            (1.0, self.final),
        ]
        return piecewise_linear(progress, points)


@dataclass(kw_only=True)
class ConstantConfig(ScheduleConfig):
    """A short linear warm-up, then constant."""

    warmup: float = 0.0
    """Share of the training spent rising from 0, 0 to 1."""

    def factor(self, progress: float) -> float:
        """Return the factor when the share `progress` (0 to 1) is done."""
        return min(1.0, progress / self.warmup) if self.warmup > 0 else 1.0


def one_cycle(progress: float, *, warmup: float, start: float, final: float) -> float:
    """Rise linearly from `start` to 1 until `warmup`, then fall as a cosine."""
    if progress < warmup:
        return start + (1.0 - start) * progress / warmup
    fallen = min(1.0, (progress - warmup) / (1.0 - warmup))
    return final + (1.0 - final) * 0.5 * (1.0 + math.cos(math.pi * fallen))


def piecewise_linear(x: float, points: list[tuple[float, float]]) -> float:
    """Interpolate linearly between points (x, y) of rising x; constant outside."""
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        if x < x1:
            return y0 + (y1 - y0) * max(0.0, x - x0) / (x1 - x0)
    return points[-1][1]
