"""What a training run shows: lines on the console, and points in TensorBoard."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch

from asrkit.training.distributed import World
from asrkit.training.gradients import Update
from asrkit.training.progress.console import Console, format_seconds
from asrkit.training.progress.metrics import Meter, OwnTime, Share, Summarize, merge
from asrkit.training.progress.tensorboard import Evaluation, TensorBoardLog
from asrkit.training.stream import Batch, Position
from asrkit.utils.memory import peak_memory

_SHOWN = ("data_wait_percent", "memory_of_limit", "slowest_to_mean")
"""What the console shows besides the headline, where it is known."""


class Readings(Protocol):
    """Counts the utterances that a process has read."""

    failed: int
    """Those that could not be read and were left out."""
    tried: int
    """All of them."""


@dataclass(frozen=True)
class TrainingStatus:
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
        world: The processes that work together, and this one's rank.
        summarize: Turns summed stats into scalars.
        headline: Scalars that the console shows.
        log_every: Updates between points in TensorBoard.
        own: Measures what this process computes itself.
        readings: Counts what it reads, if anything does.
        memory_limit_gb: What the memory was planned for, GB, if it was.
    """

    def __init__(
        self,
        folder: Path,
        world: World,
        summarize: Summarize,
        headline: list[str],
        log_every: int,
        *,
        own: OwnTime,
        readings: Readings | None = None,
        memory_limit_gb: float | None = None,
    ) -> None:
        self.folder = folder
        self.world = world
        self.summarize = summarize
        self.headline = headline
        self.log_every = log_every
        self.own = own
        self.readings = readings
        self.memory_limit_gb = memory_limit_gb
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

    def count(self, found: Update) -> None:
        """Add the stats of an update."""
        ones = torch.ones((), device=found.norm.device)
        for meter in (self.interval, self.epoch):
            meter.add({**found.stats, "gradient_norm": found.norm, "updates": ones})

    def show(self, status: TrainingStatus) -> None:
        """Show an update, if it is time to; called on all processes."""
        update = status.update
        computed = self.own.take()
        for meter in (self.interval, self.epoch):
            meter.computed += computed
        if update % self.log_every == 0 or update == 1:
            scalars = self._read(self.interval, status)
            if self.tensorboard:
                self.tensorboard.train(scalars, update)
            self.shown = self._headline(scalars, status)
            self.interval.reset()
        self.console.progress(status.done, status.epochs, update, self.shown)

    def take_stock(
        self,
        epoch: int | None,
        status: TrainingStatus,
        evaluation: Evaluation | None,
        *,
        best: bool,
    ) -> None:
        """Show what validation found, and the epoch that ends; on all processes.

        Args:
            epoch: Its number, from 1; None: none ends here.
            status: Where training is.
            evaluation: What validation found, or None.
            best: Whether that is the best so far.
        """
        parts: list[str] = []
        if epoch is None:
            title = f"epoch {status.epochs:.2f}, update {status.update}"
        else:
            scalars = self._read(self.epoch, status)
            took = format_seconds(scalars["seconds"])
            title = f"epoch {epoch}, update {status.update}, {took}"
            shown = self._headline(scalars, status)
            parts += [f"{name} {value:.4g}" for name, value in shown.items()]
            self.epoch.reset()
        if evaluation is not None:
            if self.tensorboard:
                self.tensorboard.dev(evaluation, status.update)
            parts += [f"dev {n} {v:.4g}" for n, v in evaluation.scalars.items()]
            parts += ["(best)"] if best else []
        self.console.say(f"{title}: " + "  ".join(parts))

    def _read(self, meter: Meter, status: TrainingStatus) -> dict[str, float]:
        """Return the scalars of a meter and those that are not sums."""
        scalars = {**meter.read(self.summarize), **status.counts}
        scalars["learning_rate"] = status.learning_rate
        scalars |= merge(self.world.gather(self._share(meter)))
        if self.memory_limit_gb is not None:
            share = scalars["peak_memory_gb"] / self.memory_limit_gb
            scalars["memory_of_limit"] = share
        return scalars

    def _share(self, meter: Meter) -> Share:
        """Return what this process alone knows."""
        counts = self.readings
        return Share(
            seconds=meter.seconds,
            waited=meter.waited,
            computed=meter.computed,
            peak_memory_gb=peak_memory(self.world.device) / 1e9,
            readings=None if counts is None else (counts.failed, counts.tried),
        )

    def _headline(
        self, scalars: Mapping[str, float], status: TrainingStatus
    ) -> dict[str, float]:
        """Return what the console shows."""
        names = [*self.headline, *_SHOWN]
        shown = {name: scalars[name] for name in names if name in scalars}
        wrong = [*status.counts, "utterances_left_out"]
        return shown | {name: scalars[name] for name in wrong if scalars.get(name)}
