"""Sums over updates, and where a training run's time goes."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.autograd import Variable

T = TypeVar("T")

Summarize = Callable[[Mapping[str, float]], dict[str, float]]
"""Turns summed stats into scalars to show, e.g. the loss per token."""


class Meter:
    """Adds up stats on the device; reading them is the only synchronization."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._updates = 0
        self._start = time.monotonic()
        self.waited = 0.0
        """Seconds of waiting for data."""
        self.computed = 0.0
        """Seconds of this process's own forward and backward passes."""

    @property
    def seconds(self) -> float:
        """Time since the last reset."""
        return time.monotonic() - self._start

    def add(self, stats: Mapping[str, Tensor]) -> None:
        """Add the stats of one update."""
        self._updates += 1
        for name, value in stats.items():
            previous = self._sums.get(name)
            self._sums[name] = value if previous is None else previous + value

    def waiting(self, items: Iterable[T]) -> Iterator[T]:
        """Pass items on and count the time that waiting for them takes."""
        iterator = iter(items)
        while True:
            start = time.monotonic()
            try:
                item = next(iterator)
            except StopIteration:
                return
            self.waited += time.monotonic() - start
            yield item

    def read(self, summarize: Summarize) -> dict[str, float]:
        """Return the scalars since the last reset."""
        seconds = self.seconds
        sums = {}
        if self._sums:
            values = torch.stack([v.double() for v in self._sums.values()]).tolist()
            sums = dict(zip(self._sums, values, strict=True))
        scalars = summarize({**sums, "wall_seconds": seconds})
        scalars["updates_per_second"] = self._updates / seconds
        return scalars

    def reset(self) -> None:
        """Begin anew."""
        self._sums = {}
        self._updates, self.waited, self.computed = 0, 0.0, 0.0
        self._start = time.monotonic()


class OwnTime:
    """Measures a task's forward and backward passes, without any other process's.

    On a GPU events are put among what it computes; nothing waits for them.

    Args:
        task: Whose passes.
        device: Of the task.
    """

    def __init__(self, task: nn.Module, device: torch.device) -> None:
        self.device = device
        self._begun: Any = None
        self._passes: list[tuple[Any, Any]] = []
        task.register_forward_pre_hook(self._begin)
        task.register_forward_hook(self._await_backward)

    def take(self) -> float:
        """Return the seconds since the last call; the passes must have ended."""
        passes, self._passes = self._passes, []
        if self.device.type == "cuda":
            return sum(begin.elapsed_time(end) for begin, end in passes) / 1e3
        return sum(end - begin for begin, end in passes)

    def _now(self) -> Any:
        if self.device.type != "cuda":
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)
        event.record(torch.cuda.current_stream(self.device))
        return event

    def _begin(self, module: nn.Module, inputs: Any) -> None:
        self._begun = self._now()

    def _await_backward(self, module: nn.Module, inputs: Any, output: Any) -> None:
        if output.loss.requires_grad:
            output.loss.register_hook(self._note_end)

    def _note_end(self, gradient: Tensor) -> None:
        """Take the time when the backward pass that begins here has ended."""
        Variable._execution_engine.queue_callback(self._end)

    def _end(self) -> None:
        self._passes.append((self._begun, self._now()))


@dataclass(frozen=True)
class Share:
    """What one process tells the others of itself when points are shown."""

    seconds: float
    """Time that it is about."""
    waited: float
    """Of this, waiting for data."""
    computed: float
    """Of this, its own forward and backward passes."""
    peak_memory_gb: float
    readings: tuple[int, int] | None
    """Utterances that could not be read, and those tried; None where unknown."""


def merge(shares: Sequence[Share]) -> dict[str, float]:
    """Turn the processes' shares, in the order of ranks, into scalars.

    All processes wait for the slowest, so of waiting and memory the most counts.
    """
    scalars = {
        "data_wait_percent": max(100 * s.waited / s.seconds for s in shares),
        "peak_memory_gb": max(s.peak_memory_gb for s in shares),
    }
    readings = [s.readings for s in shares if s.readings is not None]
    if readings:
        failed, tried = map(sum, zip(*readings, strict=True))
        scalars["utterances_left_out"] = failed
        scalars["utterances_left_out_percent"] = 100 * failed / max(tried, 1)
    busy = [s.waited + s.computed for s in shares]
    if len(shares) > 1 and sum(busy) > 0:
        scalars["slowest_rank"] = busy.index(max(busy))
        scalars["slowest_to_mean"] = max(busy) * len(busy) / sum(busy)
    return scalars
