"""What the trainer takes its batches from."""

from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

import torch


class Batch(Protocol):
    """What the loader gives."""

    @property
    def ids(self) -> list[str]:
        """Names of the utterances."""
        ...

    def to(self, device: torch.device) -> "Batch":
        """Move it to a device."""
        ...

    def split(self, count: int) -> "tuple[Batch, Batch]":
        """Return the first `count` utterances, and the rest."""
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

Group = list[tuple[Batch, Position]]
"""The batches of one process that make one update."""


def ids_of(batch: Batch) -> list[str]:
    """Return the names of a batch's utterances, if it has any."""
    return list(getattr(batch, "ids", []))
