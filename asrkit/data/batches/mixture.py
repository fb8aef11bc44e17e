"""The utterances of sets of shards, mixed by weight.

Only the shards' indices are read to plan by them, so that going on in the middle of an
epoch opens none of the shards that lie before, and each process opens those that hold
its own batches.
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np
from lhotse import CutSet

from asrkit.data.shards.shard import Entry, Shard, StoredCuts, list_shards
from asrkit.utils.errors import InputError


@dataclass(frozen=True)
class Mixture:
    """The utterances of several sets, one row of the arrays each."""

    shards: list[Shard]
    """Of all sets."""
    block: int
    """Shards that are shuffled together."""
    firsts: np.ndarray
    """First row of each shard, and the number of rows, (shards + 1,), int64."""
    rows: np.ndarray
    """Row within its shard, int32."""
    ids: list[str]
    seconds: np.ndarray
    """Float64."""
    weights: np.ndarray
    """Times an epoch."""
    phases: np.ndarray
    """Which of the epochs, for weights that are not whole; 0 to 1."""
    opened: dict[int, list[Entry]] = field(default_factory=dict)
    """Cuts of the shards that were used last."""

    def copies(self, epoch: int) -> np.ndarray:
        """Return how often each utterance comes in an epoch, (rows,), int64.

        Over many epochs it comes `weight` times each, evenly; with a whole weight in
        every single one.
        """
        before = np.floor(epoch * self.weights + self.phases)
        after = np.floor((epoch + 1) * self.weights + self.phases)
        return (after - before).astype(np.int64)

    def blocks(self, epoch: int, generator: np.random.Generator) -> list[np.ndarray]:
        """Return the rows of an epoch, those of some shards in each block."""
        order = generator.permutation(len(self.shards))
        copies = self.copies(epoch)
        blocks = []
        for shards in np.array_split(order, math.ceil(len(order) / self.block)):
            rows = np.concatenate(
                [np.arange(self.firsts[one], self.firsts[one + 1]) for one in shards]
            )
            blocks.append(np.repeat(rows, copies[rows]))
        return blocks

    def take(self, rows: np.ndarray) -> CutSet:
        """Look utterances up in their shards."""
        numbers = np.searchsorted(self.firsts, rows, side="right") - 1
        entries = [
            self._open(int(number))[self.rows[row]]
            for number, row in zip(numbers, rows, strict=True)
        ]
        return CutSet(StoredCuts(entries))

    def _open(self, number: int) -> list[Entry]:
        """Read the cuts of a shard, and keep those of this block and the last."""
        if number not in self.opened:
            if len(self.opened) >= 2 * self.block:
                del self.opened[next(iter(self.opened))]
            self.opened[number] = self.shards[number].read_entries()
        return self.opened[number]


def open_mixture(
    folders: Sequence[str],
    weights: Sequence[float],
    ids: Collection[str],
    *,
    block: int,
    seed: int,
) -> Mixture:
    """Read the indices of sets of shards.

    Args:
        folders: Paths or URLs of the sets.
        weights: How often an epoch goes over each; empty for once.
        ids: Utterances to use.
        block: Shards that are shuffled together.
        seed: Decides the phases.

    Raises:
        InputError: A set is not there, or a weight does not fit.
    """
    weights = check_weights(folders, weights)
    generator = np.random.default_rng(seed)
    shards: list[Shard] = []
    rows: list[int] = []
    names: list[str] = []
    seconds: list[float] = []
    firsts = [0]
    factors, phases = [np.empty(0)], [np.empty(0)]
    for folder, weight in zip(folders, weights, strict=True):
        before = len(rows)
        for shard in list_shards(folder):
            index = [
                pair for pair in enumerate(shard.read_index()) if pair[1].id in ids
            ]
            rows += [number for number, _ in index]
            names += [row.id for _, row in index]
            seconds += [row.seconds for _, row in index]
            shards.append(shard)
            firsts.append(len(rows))
        count = len(rows) - before
        factors.append(np.full(count, weight))
        phases.append(generator.permutation(count) / max(count, 1))
    return Mixture(
        shards=shards,
        block=block,
        firsts=np.array(firsts),
        rows=np.array(rows, dtype=np.int32),
        ids=names,
        seconds=np.array(seconds),
        weights=np.concatenate(factors),
        phases=np.concatenate(phases),
    )


def check_weights(folders: Sequence[str], weights: Sequence[float]) -> Sequence[float]:
    """Return a weight for every set.

    Raises:
        InputError: There are more or fewer weights than sets, or one is not positive.
    """
    if not weights:
        return [1.0] * len(folders)
    if len(weights) != len(folders) or not all(
        math.isfinite(weight) and weight > 0 for weight in weights
    ):
        raise InputError(
            f"data.weights={list(weights)}: give a positive number for each of the "
            f"{len(folders)} sets of data.shards, or none"
        )
    return weights
