"""The plan of batches over sets of shards: complete, mixed by weight, resumable.

The plan is one series for all processes, as that of `batches.plan`, and each reads
of the shards what its own batches hold. It is made from the shards' indices alone, so
that going on in the middle of an epoch opens none of the shards that lie before.
"""

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from lhotse import CutSet

from asrkit.data.batches.plan import EndlessPlan, PlannedBatch
from asrkit.data.shards.shard import Entry, Shard, StoredCuts, list_shards
from asrkit.utils.errors import InputError


@dataclass(frozen=True)
class Mixture:
    """The utterances of several sets, one row of the arrays each."""

    shards: list[Shard]
    """Of all sets."""
    firsts: np.ndarray
    """First row of each shard, and the number of rows, (shards + 1,), int64."""
    rows: np.ndarray
    """Row within its shard, int32."""
    seconds: np.ndarray
    """Float64."""
    weights: np.ndarray
    """Times an epoch."""
    phases: np.ndarray
    """Which of the epochs, for weights that are not whole; 0 to 1."""

    def copies(self, epoch: int) -> np.ndarray:
        """Return how often each utterance comes in an epoch, (rows,), int64.

        Over many epochs it comes `weight` times each, evenly; with a whole weight in
        every single one.
        """
        before = np.floor(epoch * self.weights + self.phases)
        after = np.floor((epoch + 1) * self.weights + self.phases)
        return (after - before).astype(np.int64)


def open_mixture(
    folders: Sequence[str], weights: Sequence[float], ids: Collection[str], seed: int
) -> Mixture:
    """Read the indices of sets of shards.

    Args:
        folders: Paths or URLs of the sets.
        weights: How often an epoch goes over each; empty for once.
        ids: Utterances to use.
        seed: Decides the phases.

    Raises:
        InputError: A set is not there, or a weight does not fit.
    """
    weights = check_weights(folders, weights)
    generator = np.random.default_rng(seed)
    shards: list[Shard] = []
    rows: list[int] = []
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
            seconds += [row.seconds for _, row in index]
            shards.append(shard)
            firsts.append(len(rows))
        count = len(rows) - before
        factors.append(np.full(count, weight))
        phases.append(generator.permutation(count) / max(count, 1))
    return Mixture(
        shards=shards,
        firsts=np.array(firsts),
        rows=np.array(rows, dtype=np.int32),
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


class ShardPlan(EndlessPlan[np.ndarray]):
    """Deals the utterances of shards into batches, epoch after epoch.

    In every epoch the order of the shards is drawn anew. The utterances of `block`
    shards are shuffled together and batched with others of like duration, and the
    batches are shuffled; then the next shards follow.

    Args:
        mixture: Training utterances.
        max_duration: Most seconds of audio in a batch, padding included.
        max_cuts: Most utterances in a batch, or None.
        num_buckets: Groups of like duration.
        block: Shards that are shuffled together.
        seed: Of the order.
        rank: This process.
        world_size: Processes.
    """

    def __init__(
        self,
        mixture: Mixture,
        *,
        max_duration: float,
        max_cuts: int | None,
        num_buckets: int,
        block: int,
        seed: int,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        total = float(mixture.seconds @ mixture.weights)
        super().__init__(total=total, seed=seed, rank=rank, world_size=world_size)
        self.mixture = mixture
        self.max_duration = max_duration
        self.max_cuts = max_cuts or len(mixture.rows)
        self.block = block
        shares = np.linspace(0.0, 1.0, num_buckets + 1)[1:-1]
        edges = np.quantile(mixture.seconds, shares)
        self.buckets = np.searchsorted(edges, mixture.seconds)
        self.opened: dict[int, list[Entry]] = {}

    def __iter__(self) -> Iterator[PlannedBatch]:
        """Yield this process's batches from `start` on, without end."""
        for rows, position, seed in self.deal():
            yield PlannedBatch(CutSet(StoredCuts(self.entries(rows))), position, seed)

    def epoch_total(self, epoch: int) -> float:
        """Return the seconds of audio in an epoch; they vary with broken weights."""
        return float(self.mixture.seconds @ self.mixture.copies(epoch))

    def batches(self, epoch: int) -> Iterator[tuple[np.ndarray, float]]:
        """Yield the batches of an epoch, as rows, and their seconds of audio."""
        generator = np.random.default_rng([self.seed, epoch])
        order = generator.permutation(len(self.mixture.shards))
        copies = self.mixture.copies(epoch)
        for shards in np.array_split(order, math.ceil(len(order) / self.block)):
            firsts = self.mixture.firsts
            rows = np.concatenate(
                [np.arange(firsts[shard], firsts[shard + 1]) for shard in shards]
            )
            rows = generator.permutation(np.repeat(rows, copies[rows]))
            rows = rows[np.argsort(self.buckets[rows], kind="stable")]
            batches = self._split(rows)
            for index in generator.permutation(len(batches)):
                batch = batches[index]
                yield batch, float(self.mixture.seconds[batch].sum())

    def entries(self, rows: np.ndarray) -> list[Entry]:
        """Look utterances up in their shards."""
        numbers = np.searchsorted(self.mixture.firsts, rows, side="right") - 1
        return [
            self._open(int(number))[self.mixture.rows[row]]
            for number, row in zip(numbers, rows, strict=True)
        ]

    def _open(self, number: int) -> list[Entry]:
        """Read the cuts of a shard, and keep those of this block and the last."""
        if number not in self.opened:
            if len(self.opened) >= 2 * self.block:
                del self.opened[next(iter(self.opened))]
            self.opened[number] = self.mixture.shards[number].read_entries()
        return self.opened[number]

    def _split(self, rows: np.ndarray) -> list[np.ndarray]:
        """Split rows, in their order, into batches within the limits."""
        if len(rows) == 0:
            return []
        seconds = self.mixture.seconds[rows]
        most = min(self.max_cuts, 1 + int(self.max_duration / seconds.min()))
        batches, first = [], 0
        while first < len(rows):
            longest = np.maximum.accumulate(seconds[first : first + most])
            padded = longest * np.arange(1, len(longest) + 1)
            size = max(1, int(np.count_nonzero(padded <= self.max_duration)))
            batches.append(rows[first : first + size])
            first += size
        return batches
