"""The training loop; it knows nothing of speech."""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from asrkit.training.checkpoints.average import RunningAverage
from asrkit.training.checkpoints.checkpoint import Checkpoints, State
from asrkit.training.checkpoints.lock import FolderLock
from asrkit.training.checkpoints.rng import continue_rng, rng_state
from asrkit.training.checkpoints.saving import Saver, all_finite
from asrkit.training.distributed import World
from asrkit.training.gradients import Gradients, Update
from asrkit.training.length import Length
from asrkit.training.progress.metrics import OwnTime, Summarize
from asrkit.training.progress.profile import Profile
from asrkit.training.progress.reporter import Readings, Reporter, TrainingStatus
from asrkit.training.progress.tensorboard import Evaluation
from asrkit.training.sharding import (
    load_whole,
    load_whole_optimizer,
    shard,
    whole_state,
)
from asrkit.training.stream import Batches, Group
from asrkit.training.trainer_config import TrainerConfig as TrainerConfig
from asrkit.training.trouble.bad_updates import BadUpdates
from asrkit.training.trouble.dump import dump_update
from asrkit.training.trouble.interrupt import InterruptFlag
from asrkit.training.trouble.watchdog import Watchdog
from asrkit.utils.errors import InputError
from asrkit.utils.training_progress import TrainingProgress


class Trainer:
    """Trains a task: a module that maps a batch to a `LossOutput`.

    Args:
        task: What to train, on `world.device`.
        optimizer: Of the task's parameters.
        factor: Gives the factor on the learning rate of the next update.
        batches: Opens the data.
        length: How long.
        validate: Evaluates the averaged task on dev; called on all processes.
        select: The scalar of validation that picks the best checkpoint (lower wins).
        summarize: Turns summed stats into scalars.
        headline: Scalars that the progress line shows.
        description: Plain values that every checkpoint carries.
        announce: Told before every update how far training is.
        folder: Of the stage: checkpoints/ and tensorboard/ are made there.
        world: The processes that work together, and this one's rank.
        config: Everything else.
        readings: Counts what is read, if anything does.
        apart: Names of the task's modules whose gradient is clipped by itself.
        memory_limit_gb: What the memory of an update was planned for, GB, if it was.
    """

    def __init__(
        self,
        task: nn.Module,
        optimizer: torch.optim.Optimizer,
        *,
        factor: Callable[[TrainingProgress], float],
        batches: Batches,
        length: Length,
        validate: Callable[[nn.Module], Evaluation],
        select: str,
        summarize: Summarize,
        headline: list[str],
        description: Mapping[str, Any],
        announce: Callable[[TrainingProgress], None],
        folder: Path,
        world: World,
        config: TrainerConfig,
        readings: Readings | None = None,
        apart: Sequence[str] = (),
        memory_limit_gb: float | None = None,
    ) -> None:
        self.task = task
        self.optimizer = optimizer
        self.factor = factor
        self.batches = batches
        self.length = length
        self.validate = validate
        self.select = select
        self.description = description
        self.announce = announce
        self.folder = folder
        self.world = world
        self.config = config
        self.average = RunningAverage(task, config.average_decay)
        if config.shard_model and shard(task, optimizer, world):
            self.average.shard(task)
        self.parameters = [p for p in task.parameters() if p.requires_grad]
        self.autocast = config.precision.is_bfloat16(world.device)
        self.gradients = Gradients(
            task,
            self.parameters,
            world,
            apart=apart,
            clip_norm=config.clip_norm,
            autocast=self.autocast,
        )
        self.checkpoints = Checkpoints(folder / "checkpoints", config.keep_checkpoints)
        self.saver = Saver(self.checkpoints, world, config.save_every_minutes)
        self.bad = BadUpdates(
            folder / "bad_updates.tsv",
            world,
            limit=config.bad_updates_in_a_row,
            max_roll_backs=config.max_roll_backs,
            lr_factor=config.roll_back_lr_factor,
        )
        self.interrupt = InterruptFlag()
        self.watchdog = Watchdog(folder, world, config.stall_minutes)
        self.profile = Profile(
            folder / "profile",
            task,
            optimizer,
            world.device,
            enabled=config.profile and world.is_main,
        )
        self.reporter = Reporter(
            folder / "tensorboard",
            world,
            summarize,
            headline,
            config.log_every,
            own=OwnTime(task, world.device),
            readings=readings,
            memory_limit_gb=memory_limit_gb,
        )
        self.peak_lrs = [group["lr"] for group in optimizer.param_groups]
        self.update = 0
        self.epochs = 0.0
        self.position: Mapping[str, float] | None = None
        self.best = float("inf")
        self.seconds_before = 0.0
        self.start = time.monotonic()

    def run(self) -> None:
        """Train to the end, from the last checkpoint if there is one.

        Raises:
            InputError: Another run works in the folder, files cannot be written, or
                too many updates were not finite.
            KeyboardInterrupt: SIGINT or SIGTERM came; everything is saved.
        """
        with contextlib.ExitStack() as stack:
            if self.world.is_main:
                stack.enter_context(FolderLock(self.folder))
            for context in (self.watchdog, self.reporter, self.interrupt, self.saver):
                stack.enter_context(context)
            self.train()

    def train(self) -> None:
        """Make one update after the other."""
        epoch_to_end = self.resume()
        self.save_start()
        self.start = time.monotonic()
        self.reporter.reset()
        if epoch_to_end:
            self.end_epoch()
        for group in self.profile.follow(self.groups()):
            epoch = self.epoch
            self.step(group)
            self.reporter.show(self.status)
            self.saver.check()
            with self.profile.part("checks, validation, saving"):
                self.look_after(epoch_ends=self.done >= 1.0 or self.epoch > epoch)

    def look_after(self, *, epoch_ends: bool) -> None:
        """Validate, save, go back or stop after an update, if it is time to.

        Raises:
            KeyboardInterrupt: A signal has come, and everything is saved.
        """
        stop, due = self.world.any(self.interrupt.is_set, self.save_is_due)
        if (epoch_ends or due or stop) and not all_finite(self.parameters):
            self.bad.weights_not_finite()
        if self.bad.too_many:
            self.roll_back()
        elif stop:
            self.save(epoch_to_end=epoch_ends)
            raise KeyboardInterrupt
        elif epoch_ends:
            self.end_epoch()
        elif due:
            self.save()

    @property
    def save_is_due(self) -> bool:
        """Whether it is time to save within an epoch.

        Not after bad updates: training would resume from damaged weights.
        """
        every = self.config.save_every_updates
        due = every is not None and self.update % every == 0
        return (due or self.saver.minutes_due) and not self.bad.in_a_row

    @property
    def validation_is_due(self) -> bool:
        """Whether the epoch that ends here is validated."""
        return self.done >= 1.0 or self.epoch % self.config.validate_every == 0

    @property
    def done(self) -> float:
        """Share of the training that is done, 0 to 1."""
        return self.length.done(self.epochs, self.update)

    @property
    def seconds(self) -> float:
        """Time that training has taken, with that before interruptions."""
        return self.seconds_before + time.monotonic() - self.start

    @property
    def epoch(self) -> int:
        """Whole epochs that are done."""
        return int(self.epochs)

    def groups(self) -> Iterator[Group]:
        """Yield the batches of one update after the other, until training is done."""
        while self.done < 1.0:
            stream = self.reporter.waiting(self.batches(self.position))
            opened = self.bad.roll_backs
            # Going back to a checkpoint goes back in the data too.
            while self.done < 1.0 and self.bad.roll_backs == opened:
                yield [next(stream) for _ in range(self.config.accumulate)]
            del stream  # and with it the processes that read

    def step(self, group: Group) -> None:
        """Make one update, or leave it out if loss or gradient is not finite."""
        self.watchdog.begin(group)
        progress = TrainingProgress(self.done, self.update, self.epochs)
        self.announce(progress)
        factor = self.factor(progress) * self.bad.lr_scale
        for parameters, peak in zip(
            self.optimizer.param_groups, self.peak_lrs, strict=True
        ):
            parameters["lr"] = peak * factor
        with self.profile.part("sum of gradients, clipping"):
            found = self.gradients(group)
        if found.finite:
            self.optimizer.step()
            with self.profile.part("average"):
                self.average.update()
            self.bad.good()
            self.reporter.count(found)
        else:
            self.leave_out(found, group)
        self.optimizer.zero_grad()
        self.update += 1
        position = group[-1][1]
        self.position, self.epochs = position.state_dict(), position.epochs
        self.watchdog.progress()

    def leave_out(self, found: Update, group: Group) -> None:
        """List an update that is not made, and keep what it was if that is wanted."""
        self.bad.bad(found, group, update=self.update, epochs=self.epochs)
        if self.bad.total <= self.config.dump_bad_updates:
            folder = self.folder / "bad_updates" / f"update-{self.update}"
            dump_update(
                self.task, group, folder, world=self.world, autocast=self.autocast
            )

    @property
    def status(self) -> TrainingStatus:
        """Where training is, to be shown."""
        rate = self.optimizer.param_groups[0]["lr"]
        counts = {**self.bad.counts, "split_batches": self.gradients.split_batches}
        return TrainingStatus(self.done, self.epochs, self.update, rate, counts)

    def end_epoch(self) -> None:
        """Validate, show and save an epoch, if it is time to."""
        epoch = self.epoch
        evaluation: Evaluation | None = None
        dev: float | None = None
        if self.validation_is_due:
            evaluation = self.evaluate()
            dev = evaluation.scalars[self.select]
        best = dev is not None and dev <= self.best
        self.best = dev if dev is not None and best else self.best
        self.reporter.end_epoch(epoch, self.status, evaluation, best=best)
        if evaluation is not None or epoch % self.config.save_every == 0:
            self.save(best=best, epoch=epoch, dev=dev)

    def evaluate(self) -> Evaluation:
        """Validate, with everything saved before, so that a signal need not wait."""
        self.save(epoch_to_end=True)
        # Validation may start processes; none should while a thread holds locks.
        self.saver.wait()
        module = self.average.module
        with self.interrupt.at_once(), self.watchdog.validating(module):
            return self.validate(module)

    def save(
        self,
        *,
        best: bool = False,
        epoch: int | None = None,
        dev: float | None = None,
        epoch_to_end: bool = False,
    ) -> None:
        """Start to write a checkpoint; all processes take part.

        Args:
            best: It is the best on dev.
            epoch: Number of the epoch that it ends, or None.
            dev: Its value on dev, or None.
            epoch_to_end: Whoever goes on from it has an epoch to end first.
        """
        state = {**self.state(), "dev": dev, "epoch_to_end": epoch_to_end}
        self.saver.save(state, best=best, epoch=epoch)
        self.watchdog.progress()

    def save_start(self) -> None:
        """Keep the state before the first update, to go back to."""
        if self.update == 0:
            self.saver.save_start(self.state())

    def state(self) -> State:
        """Return all that a checkpoint holds; all processes take part."""
        return {
            **self.description,
            "task": whole_state(self.task.state_dict()),
            "average": self.average.state_dict(),
            "average_updates": self.average.updates,
            "optimizer": whole_state(self.optimizer.state_dict()),
            "update": self.update,
            "epochs": self.epochs,
            "position": None if self.position is None else dict(self.position),
            "best": self.best,
            "seconds": self.seconds,
            "bad_updates": self.bad.state_dict(),
            "split_batches": self.gradients.split_batches,
            "dev": None,
            "epoch_to_end": False,
            "accumulate": self.config.accumulate,
            "rng": self.world.gather(rng_state(self.world.device)),
        }

    def resume(self) -> bool:
        """Go on from the last checkpoint, if any; say if it has an epoch to end."""
        found = self.saver.resume()
        if found is None:
            return False
        path, state = found
        self.restore(state)
        self.best, self.seconds_before = state["best"], state["seconds"]
        self.bad.load_state_dict(state["bad_updates"])
        self.gradients.split_batches = state.get("split_batches", 0)
        self.reporter.console.say(
            f"going on from {path}: epoch {self.epochs:.2f}, update {self.update}"
        )
        before = len(state["rng"])
        if before != self.world.size:
            self.reporter.console.say(
                f"the number of processes was {before} and is {self.world.size}: the "
                "data goes on where it was, random numbers are drawn anew; an update "
                f"took {before * state['accumulate']} batches and now takes "
                f"{self.world.size * self.config.accumulate} (trainer.accumulate)"
            )
        return state["epoch_to_end"]

    def restore(self, state: State) -> None:
        """Set weights, optimizer, random numbers and position to those of a state."""
        load_whole(self.task, state["task"])
        self.average.load_state_dict(state["average"])
        self.average.updates = state["average_updates"]
        load_whole_optimizer(self.optimizer, state["optimizer"])
        self.update, self.epochs = state["update"], state["epochs"]
        self.position = state["position"]
        continue_rng(state["rng"], self.world.rank, self.world.size, self.world.device)

    def roll_back(self) -> None:
        """Go back to the last good checkpoint with a lower learning rate.

        Raises:
            InputError: It is of no use: it was tried too often, or there is none.
        """
        # If no update since the last return was good, its checkpoint was not either.
        found = None if self.bad.exhausted else self.saver.earlier(self.bad.restored)
        if found is None:
            raise InputError(self.bad.report())
        path, state = found
        self.restore(state)
        self.bad.rolled_back(self.update)
        self.reporter.console.say(
            f"going back to {path}: epoch {self.epochs:.2f}, update {self.update}, "
            f"learning rate times {self.bad.lr_scale:g}"
        )
