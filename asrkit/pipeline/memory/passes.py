"""Real forward and backward passes, and the memory that they take.

They run in a process of their own: the run's random numbers stay as they were, nothing
stays allocated, and a process that the system kills for its memory is not the run's.
"""

import importlib
import multiprocessing
import time
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path

import torch

from asrkit.pipeline.memory.batches import make_batch
from asrkit.pipeline.memory.heap import steady_heap
from asrkit.pipeline.memory.shapes import Shape
from asrkit.pipeline.stages.stage_run import Corpus, StageRun
from asrkit.pipeline.stages.train import build_task
from asrkit.training.checkpoints.average import RunningAverage
from asrkit.training.checkpoints.saving import host_copy
from asrkit.training.distributed import World
from asrkit.utils.memory import PeakMemory
from asrkit.utils.training_progress import TrainingProgress


class Passes:
    """Measures updates of a stage's training; a context manager.

    Args:
        run: The stage; its utterances are not needed.
    """

    def __init__(self, run: StageRun) -> None:
        corpus, world = Corpus(), World(0, 1, run.world.device)
        alone = replace(run, corpus=corpus, world=world)
        self.job = _Job(alone, torch.get_num_threads())
        self.process: SpawnProcess | None = None

    def __enter__(self) -> "Passes":
        """Do nothing yet: the first update starts the process."""
        return self

    def __exit__(self, *error: object) -> None:
        """End the process."""
        self.stop()

    def start(self) -> None:
        """Start the process."""
        context = multiprocessing.get_context("spawn")
        self.pipe, other = context.Pipe()
        self.process = context.Process(
            target=_serve, args=(self.job, other), daemon=True
        )
        self.process.start()
        other.close()

    def stop(self) -> None:
        """End the process; the next one has no memory of earlier updates."""
        if self.process is not None:
            self.process.terminate()
            self.process.join()
            self.pipe.close()
            self.process = None

    def update(self, shape: Shape) -> tuple[float, float]:
        """Make an update with a batch of that shape.

        Returns:
            The most memory since the start, bytes: weights, their average and the
            optimizer's state count, imports do not. inf if there was not enough. And
            the seconds that an update takes on average over the training.
        """
        if self.process is None:
            self.start()
        try:
            self.pipe.send(shape)
            answer = self.pipe.recv()
        except (EOFError, OSError):  # the system has killed it for its memory
            return float("inf"), 0.0
        if isinstance(answer, Exception):
            raise answer
        peak, seconds = answer
        return peak, seconds


@dataclass(frozen=True)
class _Job:
    """What a process measures."""

    run: StageRun
    threads: int


def _serve(job: _Job, pipe: Connection) -> None:
    """Answer shapes with peaks, or with what went wrong."""
    try:
        updates = _Updates(job)
        while True:
            pipe.send(updates.measure(pipe.recv()))
    except (EOFError, OSError):  # nobody asks any more
        return
    except Exception as error:
        pipe.send(error)


class _Updates:
    """Makes updates like the trainer's, on made-up batches."""

    def __init__(self, job: _Job) -> None:
        self.run = run = job.run
        self.device = device = run.world.device
        torch.set_num_threads(job.threads)
        if device.type == "cuda":
            torch.cuda.set_device(device)
        else:
            steady_heap(device)
            # If memory runs out, the system is to end this process and no other.
            Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
        self.memory = PeakMemory(device)
        importlib.import_module("torch.utils.tensorboard")  # training has it, too
        config = run.config
        # Lists as they come: what an untrained model's search finds tells nothing.
        loss = config.loss.without_search()
        self.task = build_task(replace(run, config=replace(config, loss=loss)))
        self.average = RunningAverage(self.task, config.trainer.average_decay)
        self.optimizer = config.optim.build(self.task)
        for group in self.optimizer.param_groups:
            group["lr"] = 0.0  # the weights stay as they are, and finite
        self.autocast = config.trainer.precision.is_bfloat16(device)
        self.checkpoint: object = None

    def measure(self, shape: Shape) -> tuple[float, float]:
        """Make an update of each phase; return what `Passes.update` does."""
        phases, seconds = self.run.config.loss.phases, 0.0
        try:
            for share, end in zip(phases, (*phases[1:], 1.0), strict=True):
                start = time.monotonic()
                self.update(shape, TrainingProgress(share=share))
                if self.device.type == "cuda":
                    torch.cuda.synchronize(self.device)
                seconds += (end - share) * (time.monotonic() - start)
        except torch.OutOfMemoryError:
            return float("inf"), 0.0
        return self.memory.read() * 2**20, seconds

    def update(self, shape: Shape, progress: TrainingProgress) -> None:
        """Make one."""
        self.task.criterion.announce(progress)
        # A second batch finds the first one's gradients in memory, a third no more.
        count = min(2, self.run.config.trainer.accumulate)
        self.task.train()
        for batch in [make_batch(shape, self.run) for _ in range(count)]:
            with torch.autocast(self.device.type, torch.bfloat16, self.autocast):
                loss = self.task(batch.to(self.device)).loss
            loss.backward()
        self.optimizer.step()
        self.average.update()
        self.optimizer.zero_grad()
        if self.checkpoint is None:
            # One is being written while training goes on.
            self.checkpoint = host_copy(
                {
                    "task": self.task.state_dict(),
                    "average": self.average.module.state_dict(),
                    "optimizer": self.optimizer.state_dict(),
                }
            )
