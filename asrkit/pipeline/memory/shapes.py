"""The lengths of training batches: all that memory depends on, without any audio."""

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from asrkit.data.batches.loader import DataConfig
from asrkit.pipeline.stages.preparation import encoder_frames
from asrkit.pipeline.stages.stage_run import StageRun

_EPOCHS = 10  # are looked at, or fewer, if they have
_BATCHES = 2000
_USUAL = 4


@dataclass(frozen=True)
class Shape:
    """The lengths of a batch's utterances."""

    seconds: tuple[float, ...]
    """Audio of each utterance."""
    frames: tuple[int, ...]
    """Encoder frames of each utterance."""
    labels: tuple[int, ...]
    """Tokens of each utterance."""

    @property
    def B(self) -> int:  # noqa: N802 - the shape's letter
        """Utterances."""
        return len(self.frames)

    @cached_property
    def T(self) -> int:  # noqa: N802 - the shape's letter
        """Frames of the longest."""
        return max(self.frames)

    @cached_property
    def U(self) -> int:  # noqa: N802 - the shape's letter
        """Tokens of the longest transcript."""
        return max(self.labels)

    @cached_property
    def cells(self) -> list[int]:
        """Cells of each utterance's lattice."""
        sides = zip(self.frames, self.labels, strict=True)
        return [frames * (labels + 1) for frames, labels in sides]


_SIZES: tuple[Callable[[Shape], float], ...] = (
    lambda shape: shape.B * shape.T,
    lambda shape: shape.B * shape.T**2,
    lambda shape: shape.B * shape.T * (shape.U + 1),
    lambda shape: shape.B * (shape.U + 1),
    lambda shape: sum(shape.cells),
    lambda shape: max(shape.cells),
    lambda shape: shape.B,
)
"""What memory grows with."""


def extremes(shapes: Sequence[Shape]) -> list[Shape]:
    """Return those that are the largest by one measure or another, each once."""
    return list(dict.fromkeys(max(shapes, key=size) for size in _SIZES))


@dataclass(frozen=True)
class Utterances:
    """The lengths of a training set, the shortest utterance first."""

    ids: list[str]
    seconds: list[float]
    frames: list[int]
    labels: list[int]
    stretch: float = 1.0
    """How much longer speed perturbation may make an utterance; `frames` have it."""

    @property
    def longest(self) -> float:
        """Seconds of the longest: a max_duration that gives it a batch of its own."""
        return self.seconds[-1]

    @property
    def total(self) -> float:
        """Seconds of audio in all."""
        return sum(self.seconds)

    def series(self, data: DataConfig, max_duration: float, seed: int) -> list[Shape]:
        """Return batches that show what training takes: a few of all, then the worst.

        Args:
            data: How batches are made.
            max_duration: Most seconds of audio in a batch.
            seed: Of the order.
        """
        generator = random.Random(seed)
        shapes: list[Shape] = []
        for _ in range(_EPOCHS):
            batches = self.batches(data, max_duration, generator)
            shapes += [self.shape(rows) for rows in batches]
            if len(shapes) > _BATCHES:
                break
        usual = shapes[:: -(-len(shapes) // _USUAL)]
        return list(dict.fromkeys([*usual, *extremes(shapes)]))

    def shape(self, rows: Iterable[int]) -> Shape:
        """Return the lengths of some utterances."""
        chosen = list(rows)
        return Shape(
            tuple(self.seconds[row] * self.stretch for row in chosen),
            tuple(self.frames[row] for row in chosen),
            tuple(self.labels[row] for row in chosen),
        )

    def batches(
        self, data: DataConfig, max_duration: float, generator: random.Random
    ) -> Iterator[list[int]]:
        """Draw an epoch's batches as Lhotse's sampler does, but a thousandfold faster.

        Every bucket has as much audio; a batch is full when one more as long as its
        longest would be too much, so that its last utterance may take it beyond.
        """
        most = data.max_cuts or len(self.ids)
        for bucket in self.buckets(data.num_buckets):
            generator.shuffle(bucket)
            batch: list[int] = []
            longest = 0.0
            for row in bucket:
                batch.append(row)
                longest = max(longest, self.seconds[row])
                if len(batch) == most or (len(batch) + 1) * longest > max_duration:
                    yield batch
                    batch, longest = [], 0.0
            if batch:
                yield batch

    def buckets(self, count: int) -> list[list[int]]:
        """Return the utterances in groups of like duration, with as much audio each."""
        groups: list[list[int]] = [[]]
        share, total = self.total / count, 0.0
        for row, seconds in enumerate(self.seconds):
            if total > share:
                groups.append([])
                total = 0.0
            groups[-1].append(row)
            total += seconds
        return groups


def read_utterances(run: StageRun) -> Utterances:
    """Collect the lengths of a stage's training utterances; no audio is read."""
    config = run.config
    # Stored copies of other speeds are utterances of their own.
    speeds = [1.0] if config.data.stored_features else config.augment.wave.speeds
    stretch = 1.0 / min(speeds)
    cuts = sorted(
        (
            cut.duration,
            cut.id,
            len(run.tokenizer.encode(cut.supervisions[0].text or "")),
        )
        for cut in run.corpus.train
        if cut.duration <= config.data.max_seconds
    )
    rate, encoder = config.features.sampling_rate, config.encoder
    return Utterances(
        ids=[name for _, name, _ in cuts],
        seconds=[seconds for seconds, _, _ in cuts],
        frames=[encoder_frames(s * stretch, rate, encoder) for s, _, _ in cuts],
        labels=[labels for _, _, labels in cuts],
        stretch=stretch,
    )
