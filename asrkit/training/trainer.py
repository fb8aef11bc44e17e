"""The training loop; it knows nothing of speech."""

import contextlib
import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from asrkit.training.average import RunningAverage
from asrkit.training.checkpoint import Checkpoints, State
from asrkit.training.console import Console, format_seconds
from asrkit.training.distributed import World
from asrkit.training.interrupt import InterruptFlag
from asrkit.training.metrics import Meter, Summarize
from asrkit.training.rng import rng_state, set_rng_state
from asrkit.training.tensorboard import Evaluation, TensorBoardLog, peak_memory_gb
from asrkit.utils.errors import InputError
from asrkit.utils.loss_output import LossOutput
from asrkit.utils.moment import Moment

logger = logging.getLogger(__name__)


class Precision(str, Enum):
    """Number format of the networks; weights and losses stay in float32."""

    AUTO = "auto"
    """BFLOAT16 on a GPU, FLOAT32 on a CPU."""
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"


@dataclass(kw_only=True)
class TrainerConfig:
    """How to train, whatever is trained."""

    device: str = "auto"
    """auto, cpu or cuda."""
    precision: Precision = Precision.AUTO
    """AUTO, FLOAT32 or BFLOAT16."""
    accumulate: int = 1
    """Batches per process that make one update."""
    clip_norm: float = 5.0
    """Largest norm of the gradient of the mean loss; 0 does not clip."""
    average_decay: float = 0.999
    """Decay of the running average of the weights per update; 0 turns it off."""
    validate_every: int = 1
    """Epochs between validations; the last epoch is always validated."""
    save_every: int = 1
    """Epochs between checkpoints; also after each validation and at the end."""
    save_every_updates: int | None = None
    """Updates between checkpoints within an epoch, for long epochs."""
    keep_checkpoints: int = 5
    """Epochs' checkpoints to keep besides the last and the best."""
    log_every: int = 20
    """Updates between points in TensorBoard."""

    def __post_init__(self) -> None:
        """Check the counts."""
        for name in ("accumulate", "validate_every", "save_every", "log_every"):
            if getattr(self, name) < 1:
                raise ValueError(
                    f"trainer.{name} must be at least 1, got {getattr(self, name)}"
                )


class Batch(Protocol):
    """What the loader gives."""

    def to(self, device: torch.device) -> "Batch":
        """Move it to a device."""
        ...


class Position(Protocol):
    """Where in the data a batch ends; the same on all processes."""

    @property
    def epochs(self) -> float:
        """Epochs that lie before."""
        ...

    def state_dict(self) -> dict[str, float]:
        """Return plain numbers for a checkpoint."""
        ...


Batches = Callable[[Mapping[str, float] | None], Iterator[tuple[Batch, Position]]]
"""Opens the endless batches of this process after a saved position (None: at 0)."""


@dataclass(frozen=True)
class Length:
    """How long to train."""

    num_epochs: float
    num_updates: int | None = None
    """Stops after so many updates instead, and the schedule follows them."""

    def done(self, epochs: float, update: int) -> float:
        """Return the share that is done, 0 to 1."""
        if self.num_updates is not None:
            return min(1.0, update / self.num_updates)
        return min(1.0, epochs / self.num_epochs)


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
        world: This process among its like.
        config: Everything else.
    """

    def __init__(
        self,
        task: nn.Module,
        optimizer: torch.optim.Optimizer,
        *,
        factor: Callable[[Moment], float],
        batches: Batches,
        length: Length,
        validate: Callable[[nn.Module], Evaluation],
        select: str,
        summarize: Summarize,
        headline: list[str],
        description: Mapping[str, Any],
        announce: Callable[[Moment], None],
        folder: Path,
        world: World,
        config: TrainerConfig,
    ) -> None:
        self.task = task
        self.optimizer = optimizer
        self.factor = factor
        self.batches = batches
        self.length = length
        self.validate = validate
        self.select = select
        self.summarize = summarize
        self.headline = headline
        self.description = description
        self.announce = announce
        self.world = world
        self.config = config
        self.parameters = [p for p in task.parameters() if p.requires_grad]
        self.average = RunningAverage(task, config.average_decay)
        self.checkpoints = Checkpoints(folder / "checkpoints", config.keep_checkpoints)
        self.console = Console(world.is_main)
        self.tensorboard = (
            TensorBoardLog(folder / "tensorboard") if world.is_main else None
        )
        self.peak_lrs = [group["lr"] for group in optimizer.param_groups]
        precision = config.precision
        if precision is Precision.AUTO:
            on_gpu = world.device.type == "cuda"
            precision = Precision.BFLOAT16 if on_gpu else Precision.FLOAT32
        self.autocast = precision is Precision.BFLOAT16
        self.update = 0
        self.epochs = 0.0
        self.position: Mapping[str, float] | None = None
        self.best = float("inf")
        self.skipped = 0
        self.seconds_before = 0.0
        self.start = time.monotonic()
        self.shown: dict[str, float] = {}
        self.interval, self.epoch_meter = Meter(), Meter()

    def run(self) -> None:
        """Train to the end, from the last checkpoint if there is one.

        Raises:
            KeyboardInterrupt: SIGINT or SIGTERM came; everything is saved.
        """
        self.resume()
        self.start = time.monotonic()
        module = self.wrapped()
        self.interval.reset()
        self.epoch_meter.reset()
        with InterruptFlag() as interrupt:
            for group in self.groups():
                epoch = self.epoch
                self.step(module, group)
                self.show()
                finished = self.done >= 1.0
                if finished or self.epoch > epoch:
                    self.end_epoch(last=finished)
                elif self.update % (self.config.save_every_updates or 2**62) == 0:
                    self.save()
                if self.world.any(interrupt.is_set) and not finished:
                    self.save()
                    raise KeyboardInterrupt
                if finished:
                    break
        if self.tensorboard:
            self.tensorboard.close()

    @property
    def done(self) -> float:
        """Share of the training that is done, 0 to 1."""
        return self.length.done(self.epochs + 1e-6, self.update)

    @property
    def seconds(self) -> float:
        """Time that training has taken, with that before interruptions."""
        return self.seconds_before + time.monotonic() - self.start

    @property
    def epoch(self) -> int:
        """Whole epochs that are done."""
        return int(self.epochs + 1e-6)

    def wrapped(self) -> nn.Module:
        """Return the task as it is called: with several processes, inside DDP."""
        if self.world.size == 1:
            return self.task
        return DistributedDataParallel(self.task, gradient_as_bucket_view=True)

    def groups(self) -> Iterator[list[tuple[Batch, Position]]]:
        """Yield the batches of one update after the other."""
        if self.done >= 1.0:
            return
        stream = self.interval.waiting(
            self.epoch_meter.waiting(self.batches(self.position))
        )
        while True:
            yield [next(stream) for _ in range(self.config.accumulate)]

    def step(self, module: nn.Module, group: list[tuple[Batch, Position]]) -> None:
        """Make one update."""
        moment = Moment(self.done, self.update, self.epochs)
        self.announce(moment)
        factor = self.factor(moment)
        for parameters, peak in zip(
            self.optimizer.param_groups, self.peak_lrs, strict=True
        ):
            parameters["lr"] = peak * factor
        module.train()
        stats: dict[str, Tensor] = {}
        for index, (batch, _) in enumerate(group):
            last = index == len(group) - 1
            output = self.backward(module, batch, synchronize=last)
            for name, value in {**output.stats, "weight": output.weight}.items():
                stats[name] = stats[name] + value if name in stats else value
        names = list(stats)
        sums = self.world.sum(torch.stack([stats[n].double() for n in names]))
        stats = dict(zip(names, sums, strict=True))
        # DDP has averaged the gradients of sums; the mean wants their sum over ranks.
        scale = self.world.size / stats.pop("weight").clamp(min=1.0)
        gradients = [p.grad for p in self.parameters if p.grad is not None]
        torch._foreach_mul_(gradients, scale.to(torch.float32))
        limit = self.config.clip_norm or math.inf
        norm = nn.utils.clip_grad_norm_(self.parameters, limit)
        if torch.isfinite(norm):
            self.optimizer.step()
            self.average.update()
            self.skipped = 0
        else:
            self.skip(group)
        self.optimizer.zero_grad()
        self.update += 1
        position = group[-1][1]
        self.position, self.epochs = position.state_dict(), position.epochs
        stats["gradient_norm"] = norm.detach()
        for meter in (self.interval, self.epoch_meter):
            meter.add({**stats, "updates": torch.ones((), device=norm.device)})

    def backward(
        self, module: nn.Module, batch: Batch, *, synchronize: bool
    ) -> LossOutput:
        """Add the gradient of one batch's summed loss."""
        hold: contextlib.AbstractContextManager[None] = contextlib.nullcontext()
        if isinstance(module, DistributedDataParallel) and not synchronize:
            hold = module.no_sync()
        device = self.world.device
        with hold:
            with torch.autocast(device.type, torch.bfloat16, enabled=self.autocast):
                output: LossOutput = module(batch.to(device))
            output.loss.backward()
        return output

    def skip(self, group: list[tuple[Batch, Position]]) -> None:
        """Leave out an update whose gradient is not finite; give up after ten."""
        self.skipped += 1
        ids = [i for batch, _ in group for i in getattr(batch, "ids", [])]
        logger.warning(
            "update %d left out: its gradient is not finite (utterances %s)",
            self.update,
            " ".join(ids),
        )
        if self.skipped == 10:
            raise InputError(
                "ten updates in a row had a gradient that is not finite; "
                f"lower optim.lr (now {self.peak_lrs[0]:g}) or check the data report"
            )

    def show(self) -> None:
        """Log to the console and to TensorBoard, if it is time to."""
        if self.update % self.config.log_every == 0 or self.update == 1:
            scalars = self.read(self.interval)
            if self.tensorboard:
                self.tensorboard.train(scalars, self.update)
            self.shown = {n: scalars[n] for n in self.headline if n in scalars}
            self.interval.reset()
        self.console.progress(self.done, self.epochs, self.update, self.shown)

    def read(self, meter: Meter) -> dict[str, float]:
        """Return the scalars of a meter and the state of the optimizer."""
        scalars = meter.read(self.summarize)
        scalars["learning_rate"] = self.optimizer.param_groups[0]["lr"]
        scalars["peak_memory_gb"] = peak_memory_gb(self.world.device)
        return scalars

    def end_epoch(self, *, last: bool) -> None:
        """Summarize an epoch; validate and save if it is time to."""
        scalars = self.read(self.epoch_meter)
        epoch = self.epoch
        parts = [f"{n} {scalars[n]:.4g}" for n in self.headline if n in scalars]
        dev: float | None = None
        best = False
        validated = last or epoch % self.config.validate_every == 0
        if validated:
            evaluation = self.validate(self.average.module)
            if self.tensorboard:
                self.tensorboard.valid(evaluation, self.update)
            parts += [f"dev {n} {v:.4g}" for n, v in evaluation.scalars.items()]
            dev = evaluation.scalars[self.select]
            best = dev <= self.best
            self.best = min(self.best, dev)
            parts += ["(best)"] if best else []
        took = format_seconds(scalars["seconds"])
        self.console.say(
            f"epoch {epoch}, update {self.update}, {took}: " + "  ".join(parts)
        )
        if validated or epoch % self.config.save_every == 0:
            self.save(best=best, epoch=epoch, dev=dev)
        self.epoch_meter.reset()

    def save(
        self, *, best: bool = False, epoch: int | None = None, dev: float | None = None
    ) -> None:
        """Write a checkpoint; all processes take part. `dev`: its value on dev."""
        rng = self.world.gather(rng_state(self.world.device))
        if not self.world.is_main:
            return
        state: State = {
            **self.description,
            "task": self.task.state_dict(),
            "average": self.average.module.state_dict(),
            "average_updates": self.average.updates,
            "optimizer": self.optimizer.state_dict(),
            "update": self.update,
            "epochs": self.epochs,
            "position": dict(self.position or {}),
            "best": self.best,
            "seconds": self.seconds,
            "dev": dev,
            "rng": rng,
        }
        self.checkpoints.save(state, best=best, epoch=epoch)

    def resume(self) -> None:
        """Go on from the last checkpoint, if there is one."""
        state = self.checkpoints.resume()
        if state is None:
            return
        self.task.load_state_dict(state["task"])
        self.average.module.load_state_dict(state["average"])
        self.average.updates = state["average_updates"]
        self.optimizer.load_state_dict(state["optimizer"])
        self.update, self.epochs = state["update"], state["epochs"]
        self.position, self.best = state["position"], state["best"]
        self.seconds_before = state["seconds"]
        if len(state["rng"]) == self.world.size:
            set_rng_state(state["rng"][self.world.rank], self.world.device)
        self.console.say(
            f"going on from {self.checkpoints.last}: epoch {self.epochs:.2f}, "
            f"update {self.update}"
        )
