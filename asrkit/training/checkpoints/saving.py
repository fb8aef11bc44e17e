"""Saves checkpoints off the training thread, and knows when it is time to."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from asrkit.training.checkpoints.checkpoint import (
    Checkpoints,
    Loaded,
    State,
    load_checkpoint,
    save_checkpoint,
)
from asrkit.training.distributed import World
from asrkit.training.sharding import local, sum_parts

logger = logging.getLogger(__name__)

_Memo = dict[tuple[Any, ...], Tensor]


class Saver:
    """Writes one checkpoint at a time in a thread of its own.

    The state is copied to the host's memory first, so that training may change it at
    once; that copy is the price, about the size of a checkpoint. Leaving the context
    waits for the thread.

    Args:
        checkpoints: Where to.
        world: The processes that work together, and this one's rank; rank 0 writes.
        every_minutes: Time between checkpoints, or None.
    """

    def __init__(
        self, checkpoints: Checkpoints, world: World, every_minutes: float | None
    ) -> None:
        self.checkpoints = checkpoints
        self.world = world
        self.every_minutes = every_minutes
        self._last = time.monotonic()  # setting a clock back does not move it
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="checkpoints")
        self._writing: Future[None] | None = None

    @property
    def minutes_due(self) -> bool:
        """Whether the last checkpoint is old enough for another; by one clock alone."""
        if self.every_minutes is None or not self.world.is_main:
            return False
        return time.monotonic() >= self._last + 60.0 * self.every_minutes

    def save(
        self, state: State, *, best: bool = False, epoch: int | None = None
    ) -> None:
        """Start to write the last checkpoint; see `Checkpoints.save`.

        Raises:
            InputError: The one before could not be written.
        """
        if not self.world.is_main:
            return
        self.wait()
        copied = host_copy(state)
        self._last = time.monotonic()
        self._writing = self._thread.submit(
            self.checkpoints.save, copied, best=best, epoch=epoch
        )

    def save_start(self, state: State) -> None:
        """Write the state before the first update."""
        if not self.world.is_main:
            return
        save_checkpoint(state, self.checkpoints.start)
        self._last = time.monotonic()

    def resume(self) -> Loaded | None:
        """Load the newest checkpoint on all processes; see `Checkpoints.resume`."""
        if self.world.is_main:
            self.checkpoints.clean()
        return self._share(self.checkpoints.resume)

    def earlier(self, before: int | None) -> Loaded | None:
        """Load one to go back to on all processes; see `Checkpoints.earlier`."""
        self.wait()
        return self._share(lambda: self.checkpoints.earlier(before))

    def check(self) -> None:
        """Raise what the thread has run into, if it has."""
        if self._writing is not None and self._writing.done():
            self.wait()

    def wait(self) -> None:
        """Wait until the checkpoint is written.

        Raises:
            InputError: It could not be written.
        """
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.result()

    def _share(self, find: Callable[[], Loaded | None]) -> Loaded | None:
        """Load what the first process finds."""
        found = find() if self.world.is_main else None
        path = self.world.gather(found and found[0])[0]
        if path is None or found is not None:
            return found
        return path, load_checkpoint(path)

    def __enter__(self) -> "Saver":
        return self

    def __exit__(
        self, kind: object, error: BaseException | None, traceback: object
    ) -> None:
        try:
            self.wait()
        except Exception as failure:
            if error is None or isinstance(error, KeyboardInterrupt):
                raise
            logger.error("%s", failure)  # besides the error that ends the run


def describe_resumed(
    path: Path, state: State, world: World, accumulate: int
) -> list[str]:
    """Say where training goes on, and what is other than before; a line each.

    Args:
        path: The checkpoint.
        state: What is in it.
        world: The processes of now.
        accumulate: Batches of each that make an update now.
    """
    at = f"epoch {state['epochs']:.2f}, update {state['update']}"
    lines = [f"going on from {path}: {at}"]
    before = len(state["rng"])
    if before != world.size:
        lines.append(
            f"the number of processes was {before} and is {world.size}: the data goes "
            "on where it was, random numbers are drawn anew; an update took "
            f"{before * state['accumulate']} batches and now takes "
            f"{world.size * accumulate} (trainer.accumulate)"
        )
    return lines


def host_copy(state: Mapping[str, Any]) -> State:
    """Copy a state's tensors to the host's memory; shared ones stay shared."""
    memo: _Memo = {}
    return {name: _copy(value, memo) for name, value in state.items()}


def _copy(value: Any, memo: _Memo) -> Any:
    if isinstance(value, Tensor):
        key = (value.data_ptr(), value.dtype, value.shape, value.stride())
        if key not in memo:
            memo[key] = value.detach().to("cpu", copy=True)
        return memo[key]
    if isinstance(value, Mapping):
        return {name: _copy(one, memo) for name, one in value.items()}
    if isinstance(value, list):
        return [_copy(one, memo) for one in value]
    return value


def all_finite(tensors: Sequence[Tensor]) -> bool:
    """Say whether tensors, or all parts of them, hold neither nan nor infinity."""
    checks = [torch.isfinite(local(tensor)).all() for tensor in tensors]
    if not checks:
        return True
    wrong = sum_parts(torch.stack(checks).logical_not().sum(), tensors)
    return int(wrong) == 0
