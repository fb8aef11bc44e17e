"""Which utterances go into which batch: the same plan for every number of processes.

The plan is one endless series of batches. Process r of W takes every W-th batch from
the r-th on, so that W processes together see what one process sees in W times as many
steps, nothing is left out, and all have equally many. A position in the plan (epoch
and batches of it) is all that has to be kept to go on later.
"""

import itertools
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Generic, TypeVar

from lhotse import CutSet
from lhotse.cut import Cut
from lhotse.dataset import DynamicBucketingSampler

Content = TypeVar("Content")


@dataclass(frozen=True)
class Position:
    """Where in the plan something is."""

    epoch: int = 0
    """Full passes over the data, from 0."""
    batches: int = 0
    """Batches of this epoch that lie before, over all processes."""
    done: float = 0.0
    """Share of this epoch's audio that lies before, 0 to 1."""

    @staticmethod
    def from_state(state: Mapping[str, float]) -> "Position":
        """Undo `state_dict`."""
        return Position(int(state["epoch"]), int(state["batches"]), state["done"])

    def state_dict(self) -> dict[str, float]:
        """Return plain numbers for a checkpoint."""
        return asdict(self)

    @property
    def epochs(self) -> float:
        """Epochs that lie before, as one number."""
        return self.epoch + self.done


@dataclass(frozen=True)
class PlannedBatch:
    """The cuts of one batch, not read yet."""

    cuts: CutSet
    position: Position
    """After this batch."""
    seed: int
    """For what is random in reading it."""


class EndlessPlan(ABC, Generic[Content]):
    """Deals the batches of epoch after epoch out to processes.

    Args:
        total: Sum of the sizes of an epoch's batches, where all epochs have the same.
        seed: Of the order.
        rank: This process.
        world_size: Processes.
    """

    def __init__(self, *, total: float, seed: int, rank: int, world_size: int) -> None:
        self.total = total
        self.seed = seed
        self.rank = rank
        self.world_size = world_size
        self.start = Position()  # set it to go on from there

    def epoch_total(self, epoch: int) -> float:
        """Return the sum of the sizes of an epoch's batches."""
        return self.total

    @abstractmethod
    def batches(self, epoch: int) -> Iterator[tuple[Content, float]]:
        """Yield the batches of an epoch, and the size of each: the same every time."""

    def deal(self) -> Iterator[tuple[Content, Position, int]]:
        """Yield this process's batches from `start` on, without end.

        Each comes with the position after the turn of all processes, and with a seed
        for what is random in reading it.
        """
        batches = self._all_batches()
        while True:
            turn = list(itertools.islice(batches, self.world_size))
            content, _, seed = turn[self.rank]
            yield content, turn[-1][1], seed

    def _all_batches(self) -> Iterator[tuple[Content, Position, int]]:
        """Yield all processes' batches from `start` on, without end."""
        skip, epoch = self.start.batches, self.start.epoch
        while True:
            before, total = 0.0, self.epoch_total(epoch)
            for index, (content, size) in enumerate(self.batches(epoch)):
                before += size
                if index >= skip:
                    done = min(1.0, before / total)
                    # Mixed so that neighbouring epochs and seeds do not overlap.
                    seed = hash((self.seed, epoch, index))
                    yield content, Position(epoch, index + 1, done), seed
            skip, epoch = 0, epoch + 1


class BatchPlan(EndlessPlan[CutSet]):
    """Buckets cuts by duration into batches, epoch after epoch.

    Args:
        cuts: Training utterances.
        max_duration: Most seconds of audio in a batch.
        max_cuts: Most utterances in a batch, or None.
        num_buckets: Groups of like duration.
        shuffle: Draw the order anew in every epoch.
        seed: Of the order.
        rank: This process.
        world_size: Processes.
    """

    def __init__(
        self,
        cuts: CutSet,
        *,
        max_duration: float,
        max_cuts: int | None,
        num_buckets: int,
        shuffle: bool,
        seed: int,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        total = sum(cut.duration for cut in cuts)
        super().__init__(total=total, seed=seed, rank=rank, world_size=world_size)
        self.cuts = cuts
        self.max_duration = max_duration
        self.max_cuts = max_cuts
        self.num_buckets = num_buckets
        self.shuffle = shuffle

    def __iter__(self) -> Iterator[PlannedBatch]:
        """Yield this process's batches from `start` on, without end."""
        for cuts, position, seed in self.deal():
            yield PlannedBatch(cuts, position, seed)

    def batches(self, epoch: int) -> Iterator[tuple[CutSet, float]]:
        """Yield the batches of an epoch and their seconds of audio."""
        for cuts in self._sampler(epoch):
            yield cuts, sum(cut.duration for cut in cuts)

    def _sampler(self, epoch: int) -> DynamicBucketingSampler:
        """Make the sampler of one epoch."""
        with warnings.catch_warnings():
            # Cuts in memory are as good for us as cuts on disk.
            warnings.filterwarnings("ignore", ".*eagerly read CutSet")
            sampler = DynamicBucketingSampler(
                self.cuts,
                max_duration=self.max_duration,
                max_cuts=self.max_cuts,
                num_buckets=self.num_buckets,
                shuffle=self.shuffle,
                seed=self.seed,
                world_size=1,
                rank=0,
            )
        sampler.set_epoch(epoch)
        return sampler


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
    batches: list[list[Cut]] = []
    for cut in sorted(cuts, key=lambda cut: (-cut.duration, cut.id)):
        longest = batches[-1][0].duration if batches else 0.0
        if batches and longest * (len(batches[-1]) + 1) <= max_duration:
            batches[-1].append(cut)
        else:
            batches.append([cut])
    return [
        PlannedBatch(CutSet.from_cuts(batch), Position(0, index + 1), seed=0)
        for index, batch in enumerate(batches)
    ][rank::world_size]
