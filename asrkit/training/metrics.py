"""Sums over updates, and where a training run's time goes."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar

import torch
from torch import Tensor

T = TypeVar("T")

Summarize = Callable[[Mapping[str, float]], dict[str, float]]
"""Turns summed stats into scalars to show, e.g. the loss per token."""


class Meter:
    """Adds up stats on the device; reading them is the only synchronization."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._updates = 0
        self._waited = 0.0
        self._start = time.monotonic()

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
            self._waited += time.monotonic() - start
            yield item

    def read(self, summarize: Summarize) -> dict[str, float]:
        """Return the scalars since the last reset."""
        seconds = time.monotonic() - self._start
        sums = {}
        if self._sums:
            values = torch.stack([v.double() for v in self._sums.values()]).tolist()
            sums = dict(zip(self._sums, values, strict=True))
        scalars = summarize({**sums, "wall_seconds": seconds})
        scalars["updates_per_second"] = self._updates / seconds
        scalars["data_wait_percent"] = 100 * self._waited / seconds
        return scalars

    def reset(self) -> None:
        """Begin anew."""
        self._sums = {}
        self._updates, self._waited = 0, 0.0
        self._start = time.monotonic()
