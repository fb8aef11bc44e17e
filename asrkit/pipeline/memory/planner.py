"""Measures what updates take with one max_duration, and predicts it for others."""

from dataclasses import dataclass, field

from asrkit.data.progress import track
from asrkit.pipeline.memory.model import Costs, Measured, fit
from asrkit.pipeline.memory.passes import Passes
from asrkit.pipeline.memory.shapes import Shape, Utterances


@dataclass
class Planner:
    """Knows a stage's memory by the seconds of its batches.

    Args:
        utterances: What it trains on.
        costs: What its criterion computes.
        passes: Where it is measured.
    """

    utterances: Utterances
    costs: Costs
    passes: Passes
    measured: dict[float, Measured] = field(default_factory=dict)
    """By max_duration."""
    speed: float = 0.0
    """Seconds of audio that a second takes in, with the largest that was measured."""

    def series(self, max_duration: float) -> list[Shape]:
        """Return batches that show what training takes."""
        return self.utterances.series(max_duration)

    def measure(
        self, max_duration: float, most: float = float("inf"), name: str = ""
    ) -> float:
        """Make updates; return their peak, bytes.

        Args:
            max_duration: Most seconds of audio in a batch.
            most: It is too much above this, and no further update is made, bytes.
            name: Begins the lines that show progress.
        """
        shapes = self.series(max_duration)
        peak, audio, time = 0.0, 0.0, 0.0
        line = f"{name}measuring batches of {max_duration:.4g} s"
        with track(line, len(shapes)) as advance:
            for count, shape in enumerate(shapes, start=1):
                peak, seconds = self.passes.update(shape)
                audio, time = audio + sum(shape.seconds), time + seconds
                advance(1)
                if peak > most:
                    shapes = shapes[:count]
                    self.passes.stop()  # what follows is smaller
                    break
        if peak < float("inf"):
            self.speed = audio / time
            self.measured[max_duration] = Measured(self.costs.worst(shapes), peak)
        return peak

    def predict(self, max_duration: float) -> float:
        """Return the peak that is to be expected, bytes.

        What was measured nearest corrects the model.
        """
        model = fit(list(self.measured.values()))
        nearest = min(self.measured, key=lambda other: abs(other - max_duration))
        known = self.measured[nearest]
        correction = known.bytes / model.predict(known.terms)
        return model.predict(self.costs.worst(self.series(max_duration))) * correction

    def fitting(self, room: float, low: float, high: float) -> float:
        """Return the longest max_duration between two that is predicted to fit.

        Args:
            room: What it may take, bytes.
            low: Seconds.
            high: Seconds.
        """
        if self.predict(high) <= room:
            return high
        while high - low > max(0.01 * high, 0.1):
            middle = (low + high) / 2.0
            low, high = (
                (middle, high) if self.predict(middle) <= room else (low, middle)
            )
        return low
