"""Which rows go into which batch: one plan for utterances, shards and sentences.

A plan knows nothing but lengths, seconds or tokens. It is one endless series of batches
that depends on the seed alone. Process r of W takes every W-th batch from the r-th on,
so that W processes together see what one process sees in W times as many steps, nothing
is left out, and all have equally many. A position in the plan (epoch and batches of it)
is all that has to be kept to go on later.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache

import numpy as np

Blocks = Callable[[int, np.random.Generator], list[np.ndarray]]
"""Gives the rows of an epoch, each as often as it comes, in blocks: batches are made of
one block alone, and come in the order of the blocks."""


@dataclass(frozen=True)
class Position:
    """Where in the plan something is."""

    epoch: int = 0
    """Full passes over the data that lie before."""
    batches: int = 0
    """Batches of this epoch that lie before, over all processes: never all of them, as
    the end of an epoch is the beginning of the next."""
    done: float = 0.0
    """Share of this epoch's batches that lie before, less than 1."""

    @staticmethod
    def from_state(state: Mapping[str, float]) -> "Position":
        """Undo `state_dict`."""
        return Position(int(state["epoch"]), int(state["batches"]), state["done"])

    def state_dict(self) -> dict[str, float]:
        """Return plain numbers for a checkpoint."""
        return asdict(self)

    @property
    def epochs(self) -> float:
        """Epochs that lie before, as one number; whole exactly where one ends."""
        return self.epoch + self.done


class BatchPlan:
    """Deals rows into batches of like lengths, epoch after epoch.

    In every epoch the rows of a block are shuffled, sorted by their groups, and cut
    into batches; then these are shuffled. So a batch holds other rows of a group every
    time, and short and long batches come mixed.

    Args:
        lengths: Of each row, seconds or tokens, (N,), positive.
        groups: Number of the group of like lengths that each row is in, (N,).
        max_length: Most that a batch may hold, padding included; a longer row is a
            batch of its own.
        max_rows: Most rows in a batch, or None.
        blocks: Which rows are shuffled together; None: all, once an epoch.
        seed: Of the order, not negative.
        rank: This process.
        world_size: Processes.
    """

    def __init__(
        self,
        lengths: np.ndarray,
        *,
        groups: np.ndarray,
        max_length: float,
        max_rows: int | None = None,
        blocks: Blocks | None = None,
        seed: int,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.lengths = lengths
        self.groups = groups
        self.max_length = max_length
        self.max_rows = max_rows
        self.blocks = blocks or (lambda epoch, generator: [np.arange(len(lengths))])
        self.seed = seed
        self.rank = rank
        self.world_size = world_size
        self.start = Position()  # set it to go on from there
        # A turn of all processes may begin in one epoch and end in the next.
        self.batches = lru_cache(maxsize=2)(self._plan)

    def _plan(self, epoch: int) -> list[np.ndarray]:
        """Return the rows of each batch of an epoch: the same every time."""
        generator = np.random.default_rng(self._seeds(epoch))
        batches: list[np.ndarray] = []
        for rows in self.blocks(epoch, generator):
            rows = generator.permutation(rows)
            rows = rows[np.argsort(self.groups[rows], kind="stable")]
            found = split(rows, self.lengths, self.max_length, self.max_rows)
            batches += [found[index] for index in generator.permutation(len(found))]
        return batches

    def deal(self) -> Iterator[tuple[np.ndarray, Position, int]]:
        """Yield this process's batches from `start` on, without end.

        Each comes as rows, with the position after the turn of all processes, and with
        a seed for what is random in reading it.
        """
        # Another corpus or max_duration may have given the epoch more batches.
        most = min(self.start.batches, len(self.batches(self.start.epoch)))
        here = self._after(Position(self.start.epoch, most), 0)
        while True:
            own = self._after(here, self.rank)
            here = self._after(here, self.world_size)
            seeds = self._seeds(own.epoch, own.batches)
            seed = int(seeds.generate_state(1, np.uint64)[0])
            yield self.batches(own.epoch)[own.batches], here, seed

    def _after(self, position: Position, count: int) -> Position:
        """Return the position so many batches after another."""
        epoch, index = position.epoch, position.batches + count
        while index >= (total := len(self.batches(epoch))):
            epoch, index = epoch + 1, index - total
        return Position(epoch, index, index / total)

    def _seeds(self, *key: int) -> np.random.SeedSequence:
        """Return seeds that are independent for every epoch and batch."""
        return np.random.SeedSequence(self.seed, spawn_key=key)


def split(
    rows: np.ndarray,
    lengths: np.ndarray,
    max_length: float,
    max_rows: int | None = None,
) -> list[np.ndarray]:
    """Cut rows, in their order, into batches that are as large as they may be.

    Args:
        rows: Numbers of the rows.
        lengths: Of all rows, (N,).
        max_length: Most that a batch may hold: its rows times its longest one. A longer
            row is a batch of its own.
        max_rows: Most rows in a batch, or None.
    """
    lengths, counts = lengths[rows], np.arange(1, len(rows) + 1)
    batches, first = [], 0
    while first < len(rows):
        most = 1 + int(max_length / lengths[first])  # the longest is no shorter
        window = lengths[first : first + min(most, max_rows or most)]
        padded = np.maximum.accumulate(window) * counts[: len(window)]
        size = max(1, int(padded.searchsorted(max_length, side="right")))
        batches.append(rows[first : first + size])
        first += size
    return batches


def split_longest_first(lengths: np.ndarray, max_length: float) -> list[np.ndarray]:
    """Put all rows into batches once, the longest first, equal ones in their order.

    Args:
        lengths: Of all rows, (N,).
        max_length: Most that a batch may hold, padding included.
    """
    return split(np.argsort(-lengths, kind="stable"), lengths, max_length)


def group_by_length(lengths: np.ndarray, count: int) -> np.ndarray:
    """Return groups of like lengths, as much length in each: their numbers, (N,).

    Equal lengths are in one group, so that there may be fewer groups.

    Args:
        lengths: Of all rows, (N,).
        count: Groups.
    """
    ordered = np.sort(lengths)
    until = np.cumsum(ordered)
    shares = until[-1] * np.arange(1, count) / count
    edges = ordered[np.searchsorted(until, shares)]
    # NumPy sorts such small integers in linear time.
    return np.searchsorted(edges, lengths, side="right").astype(np.int16)
