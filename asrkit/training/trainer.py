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
from asrkit.training.checkpoints.rng import continue_rng, rng_state, set_rng_state
from asrkit.training.checkpoints.saving import Saver, all_finite, describe_resumed
from asrkit.training.checkpoints.weights import load_weights, weights_state
from asrkit.training.distributed import World
from asrkit.training.gradients import Gradients, Update
from asrkit.training.length import Length
from asrkit.training.optimizers.optim import set_rates
from asrkit.training.progress.metrics import OwnTime, Summarize
from asrkit.training.progress.profile import Profile
from asrkit.training.progress.reporter import Readings, Reporter, TrainingStatus
from asrkit.training.progress.tensorboard import Evaluation
from asrkit.training.selection import NO_START, Selection
from asrkit.training.sharding import shard
from asrkit.training.stream import Batches, Group
from asrkit.training.trainer_config import TrainerConfig as TrainerConfig
from asrkit.training.trainer_config import comes_round
from asrkit.training.trouble.bad_updates import BadUpdates
from asrkit.training.trouble.dump import dump_update
from asrkit.training.trouble.interrupt import InterruptFlag
from asrkit.training.trouble.watchdog import Watchdog
from asrkit.training.until import Until
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
        selection: Picks the best checkpoint by what validation finds.
        summarize: Turns summed stats into scalars.
        headline: Scalars that the progress line shows.
        description: Plain values that every checkpoint carries.
        announce: Told before every update how far training is.
        folder: Of the stage: checkpoints/ and tensorboard/ are made there.
        world: The processes that work together, and this one's rank.
        config: Everything else.
        until: Ends training before its length is done, if anything does.
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
        selection: Selection,
        summarize: Summarize,
        headline: list[str],
        description: Mapping[str, Any],
        announce: Callable[[TrainingProgress], None],
        folder: Path,
        world: World,
        config: TrainerConfig,
        until: Until | None = None,
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
        self.selection = selection
        self.until = until
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
        shown, device = config.profile and world.is_main, world.device
        profile = folder / "profile"
        self.profile = Profile(profile, task, optimizer, device, enabled=shown)
        self.reporter = Reporter(
            folder / "tensorboard",
            world,
            summarize,
            headline,
            config.log_every,
            own=OwnTime(task, device),
            readings=readings,
            memory_limit_gb=memory_limit_gb,
        )
        self.peak_lrs = [group["lr"] for group in optimizer.param_groups]
        self.update, self.epochs = 0, 0.0
        self.position: Mapping[str, float] | None = None
        self.seconds_before, self.start = 0.0, time.monotonic()

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
        epoch_ends = self.resume()
        if self.update == 0:  # what there is to go back to at first
            self.saver.save_start(self.state())
        self.start = time.monotonic()
        if self.selection.never_worse and self.selection.before is None:
            self.validate_start()
        self.reporter.reset()
        if epoch_ends is not None:
            self.take_stock(epoch_ends=epoch_ends)
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
        stock = epoch_ends or self.validation_is_due
        if (stock or due or stop) and not all_finite(self.parameters):
            self.bad.weights_not_finite()
        if self.bad.too_many:
            self.roll_back()
        elif stop:
            self.save(epoch_ends=epoch_ends if stock else None)
            raise KeyboardInterrupt
        elif stock:
            self.take_stock(epoch_ends=epoch_ends)
        elif due:
            self.save()

    @property
    def save_is_due(self) -> bool:
        """Whether it is time to save within an epoch.

        Not after bad updates: training would resume from damaged weights.
        """
        due = comes_round(self.update, self.config.save_every_updates)
        return (due or self.saver.minutes_due) and not self.bad.in_a_row

    @property
    def validation_is_due(self) -> bool:
        """Whether it is time to validate within an epoch, which saves, too."""
        due = comes_round(self.update, self.config.validate_every_updates)
        return due and not self.bad.in_a_row

    @property
    def done(self) -> float:
        """Share of the training that is done, 0 to 1."""
        return self.length.done(self.epochs, self.update)

    def is_over(self) -> bool:
        """Whether no update is to follow: the length is done, or `until` has come."""
        return self.done >= 1.0 or (self.until is not None and self.until.reached)

    @property
    def seconds(self) -> float:
        """Time that training has taken, with that before interruptions."""
        return self.seconds_before + time.monotonic() - self.start

    @property
    def epoch(self) -> int:
        """Whole epochs that are done."""
        return int(self.epochs)

    def groups(self) -> Iterator[Group]:
        """Yield the batches of one update after the other, until training is over."""
        while not self.is_over():
            stream = self.reporter.waiting(self.batches(self.position))
            opened = self.bad.roll_backs
            # Going back to a checkpoint goes back in the data too.
            while not self.is_over() and self.bad.roll_backs == opened:
                yield [next(stream) for _ in range(self.config.accumulate)]
            del stream  # and with it the processes that read

    def step(self, group: Group) -> None:
        """Make one update, or leave it out if loss or gradient is not finite."""
        self.watchdog.begin(group)
        progress = TrainingProgress(self.done, self.update, self.epochs)
        self.announce(progress)
        factor = self.factor(progress) * self.bad.lr_scale
        set_rates(self.optimizer, self.peak_lrs, factor)
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

    def take_stock(self, *, epoch_ends: bool) -> None:
        """Validate, show and save, as it is time to, after an epoch or within one."""
        epoch = self.epoch if epoch_ends else None
        due = self.validation_is_due or comes_round(epoch, self.config.validate_every)
        evaluation, best = None, False
        if due or not epoch_ends or self.done >= 1.0:
            self.save(epoch_ends=epoch_ends)  # a signal need not wait for validation
            evaluation = self.evaluate()
            best = self.selection.take(evaluation.scalars)
            if self.until is not None:
                self.until.take(evaluation.scalars, self.done)
        self.reporter.take_stock(epoch, self.status, evaluation, best=best)
        if evaluation is not None or comes_round(epoch, self.config.save_every):
            self.save(best=best, epoch=epoch, evaluation=evaluation)

    def validate_start(self) -> None:
        """Let the weights from before the first update be a candidate for the best.

        Random numbers are put back: training is the same with and without.
        """
        if self.update > 0:
            self.reporter.console.say(NO_START)
            return
        before = rng_state(self.world.device)
        evaluation = self.evaluate()
        set_rng_state(before, self.world.device)
        best = self.selection.take_start(evaluation.scalars)
        self.reporter.take_stock(None, self.status, evaluation, best=best)
        self.save(best=best, evaluation=evaluation)

    def evaluate(self) -> Evaluation:
        """Validate; everything is saved."""
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
        evaluation: Evaluation | None = None,
        epoch_ends: bool | None = None,
    ) -> None:
        """Start to write a checkpoint; all processes take part.

        Args:
            best: It is the best on dev.
            epoch: Number of the epoch that it ends, or None.
            evaluation: What validation found of it, or None.
            epoch_ends: Whoever goes on from it has to take stock first, after an epoch
                (True) or within one (False); None: need not.
        """
        dev = evaluation and evaluation.scalars[self.selection.scalar]
        state = {**self.state(), "dev": dev, "epoch_ends": epoch_ends}
        self.saver.save(state, best=best, epoch=epoch)
        self.watchdog.progress()

    def state(self) -> State:
        """Return all that a checkpoint holds; all processes take part."""
        return {
            **self.description,
            **weights_state(self.task, self.average, self.optimizer),
            "update": self.update,
            "epochs": self.epochs,
            "position": None if self.position is None else dict(self.position),
            **self.selection.state_dict(),
            "until": self.until and self.until.state_dict(),
            "seconds": self.seconds,
            "bad_updates": self.bad.state_dict(),
            "split_batches": self.gradients.split_batches,
            "dev": None,
            "epoch_ends": None,
            "accumulate": self.config.accumulate,
            "rng": self.world.gather(rng_state(self.world.device)),
        }

    def resume(self) -> bool | None:
        """Go on from the last checkpoint, if any; return its `epoch_ends` (`save`)."""
        found = self.saver.resume()
        if found is None:
            return None
        path, state = found
        self.restore(state)
        self.selection.load_state_dict(state)
        self.seconds_before = state["seconds"]
        self.bad.load_state_dict(state["bad_updates"])
        self.gradients.split_batches = state.get("split_batches", 0)
        for line in describe_resumed(path, state, self.world, self.config.accumulate):
            self.reporter.console.say(line)
        # An earlier version had `epoch_to_end`: True or False.
        return state.get("epoch_ends", state.get("epoch_to_end") or None)

    def restore(self, state: State) -> None:
        """Set weights, optimizer, random numbers and position to those of a state."""
        load_weights(state, self.task, self.average, self.optimizer)
        self.update, self.epochs = state["update"], state["epochs"]
        self.position = state["position"]
        if self.until is not None:
            self.until.load_state_dict(state.get("until"))
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
