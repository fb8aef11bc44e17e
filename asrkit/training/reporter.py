"""What a training run shows: lines on the console, and points in TensorBoard."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from asrkit.training.console import Console, format_seconds
from asrkit.training.distributed import World
from asrkit.training.gradients import Found
from asrkit.training.metrics import Meter, Summarize
from asrkit.training.stream import Batch, Position
from asrkit.training.tensorboard import Evaluation, TensorBoardLog, peak_memory_gb


@dataclass(frozen=True)
class Standing:
    """Where a training is."""

    done: float
    """Share of its length, 0 to 1."""
    epochs: float
    """Epochs that are done."""
    update: int
    """Updates that are done."""
    learning_rate: float
    counts: Mapping[str, float]
    """Of what has gone wrong; the console shows those above 0."""


class Reporter:
    """Sums up the stats of updates and shows them when it is time to.

    TensorBoard's files are opened on entering the context, by the first process.

    Args:
        folder: Where TensorBoard's files go.
        world: This process among its like.
        summarize: Turns summed stats into scalars.
        headline: Scalars that the console shows.
        log_every: Updates between points in TensorBoard.
    """

    def __init__(
        self,
        folder: Path,
        world: World,
        summarize: Summarize,
        headline: list[str],
        log_every: int,
    ) -> None:
        self.folder = folder
        self.world = world
        self.summarize = summarize
        self.headline = headline
        self.log_every = log_every
        self.console = Console(world.is_main)
        self.tensorboard: TensorBoardLog | None = None
        self.interval, self.epoch = Meter(), Meter()
        self.shown: dict[str, float] = {}

    def __enter__(self) -> "Reporter":
        if self.world.is_main:
            self.tensorboard = TensorBoardLog(self.folder)
        return self

    def __exit__(self, *error: object) -> None:
        if self.tensorboard:
            self.tensorboard.close()

    def reset(self) -> None:
        """Begin anew."""
        self.interval.reset()
        self.epoch.reset()

    def waiting(
        self, stream: Iterator[tuple[Batch, Position]]
    ) -> Iterator[tuple[Batch, Position]]:
        """Pass batches on and count the time that waiting for them takes."""
        return self.interval.waiting(self.epoch.waiting(stream))

    def count(self, found: Found) -> None:
        """Add the stats of an update."""
        ones = torch.ones((), device=found.norm.device)
        for meter in (self.interval, self.epoch):
            meter.add({**found.stats, "gradient_norm": found.norm, "updates": ones})

    def show(self, standing: Standing) -> None:
        """Show an update, if it is time to."""
        update = standing.update
        if update % self.log_every == 0 or update == 1:
            scalars = self._read(self.interval, standing)
            if self.tensorboard:
                self.tensorboard.train(scalars, update)
            self.shown = self._headline(scalars, standing)
            self.interval.reset()
        self.console.progress(standing.done, standing.epochs, update, self.shown)

    def end_epoch(
        self,
        epoch: int,
        standing: Standing,
        evaluation: Evaluation | None,
        *,
        best: bool,
    ) -> None:
        """Show an epoch, and what validation found after it.

        Args:
            epoch: Its number, from 1.
            standing: At its end.
            evaluation: What validation found, or None.
            best: Whether that is the best so far.
        """
        scalars = self._read(self.epoch, standing)
        shown = self._headline(scalars, standing)
        parts = [f"{name} {value:.4g}" for name, value in shown.items()]
        if evaluation is not None:
            if self.tensorboard:
                self.tensorboard.valid(evaluation, standing.update)
            parts += [f"dev {n} {v:.4g}" for n, v in evaluation.scalars.items()]
            parts += ["(best)"] if best else []
        took = format_seconds(scalars["seconds"])
        self.console.say(
            f"epoch {epoch}, update {standing.update}, {took}: " + "  ".join(parts)
        )
        self.epoch.reset()

    def _read(self, meter: Meter, standing: Standing) -> dict[str, float]:
        """Return the scalars of a meter and those that are not sums."""
        scalars = {**meter.read(self.summarize), **standing.counts}
        scalars["learning_rate"] = standing.learning_rate
        scalars["peak_memory_gb"] = peak_memory_gb(self.world.device)
        return scalars

    def _headline(
        self, scalars: Mapping[str, float], standing: Standing
    ) -> dict[str, float]:
        """Return what the console shows."""
        shown = {name: scalars[name] for name in self.headline if name in scalars}
        return shown | {name: n for name, n in standing.counts.items() if n}
