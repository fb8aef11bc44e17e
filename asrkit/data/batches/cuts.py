"""Batches of cuts, planned but not read yet."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from lhotse import CutSet
from lhotse.cut import Cut

from asrkit.data.batches.mixture import Mixture
from asrkit.data.batches.plan import (
    BatchPlan,
    Position,
    group_by_length,
    split_longest_first,
)


@dataclass(frozen=True)
class PlannedBatch:
    """The cuts of one batch, not read yet."""

    cuts: CutSet
    position: Position
    """After this batch, and those of the other processes beside it."""
    seed: int
    """For what is random in reading it."""


class CutList:
    """Cuts in memory.

    Args:
        cuts: Utterances; each comes once an epoch.
    """

    def __init__(self, cuts: Iterable[Cut]) -> None:
        self.cuts = list(cuts)
        self.ids = [cut.id for cut in self.cuts]
        self.seconds = np.array([cut.duration for cut in self.cuts])

    def blocks(self, epoch: int, generator: np.random.Generator) -> list[np.ndarray]:
        """Return all rows as one block."""
        return [np.arange(len(self.cuts))]

    def take(self, rows: np.ndarray) -> CutSet:
        """Return some utterances."""
        return CutSet.from_cuts(self.cuts[row] for row in rows)


Source = CutList | Mixture
"""Utterances to train on, by their rows."""


@dataclass(frozen=True)
class PlannedCuts:
    """A plan's batches, as cuts."""

    plan: BatchPlan
    source: Source

    def __iter__(self) -> Iterator[PlannedBatch]:
        """Yield this process's batches from the plan's start on, without end."""
        for rows, position, seed in self.plan.deal():
            yield PlannedBatch(self.source.take(rows), position, seed)


def plan_cuts(
    source: Source,
    *,
    max_duration: float,
    max_cuts: int | None,
    num_buckets: int,
    seed: int,
    rank: int = 0,
    world_size: int = 1,
) -> PlannedCuts:
    """Plan endless batches of utterances of like duration.

    Args:
        source: The utterances.
        max_duration: Most seconds of audio in a batch, padding included.
        max_cuts: Most utterances in a batch, or None.
        num_buckets: Groups of like duration.
        seed: Of the order.
        rank: This process.
        world_size: Processes.
    """
    plan = BatchPlan(
        source.seconds,
        groups=group_by_length(source.seconds, num_buckets),
        max_length=max_duration,
        max_rows=max_cuts,
        blocks=source.blocks,
        seed=seed,
        rank=rank,
        world_size=world_size,
    )
    return PlannedCuts(plan, source)


def plan_once(
    cuts: Iterable[Cut], *, max_duration: float, rank: int = 0, world_size: int = 1
) -> list[PlannedBatch]:
    """Plan one pass for validation or decoding: like lengths together, longest first.

    Args:
        cuts: Utterances; process r of W gets every W-th batch from the r-th on.
        max_duration: Most seconds of audio in a batch, padding included.
        rank: This process.
        world_size: Processes.
    """
    source = CutList(sorted(cuts, key=lambda cut: cut.id))
    batches = split_longest_first(source.seconds, max_duration)
    return [
        PlannedBatch(source.take(rows), Position(0, index), seed=0)
        for index, rows in enumerate(batches, start=1)
    ][rank::world_size]
