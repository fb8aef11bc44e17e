"""The lengths of training batches: all that memory depends on, without any audio."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from asrkit.data.batches.plan import BatchPlan
from asrkit.pipeline.stages.preparation import encoder_frames
from asrkit.pipeline.stages.stage_run import StageRun
from asrkit.pipeline.stages.train import attachments, usable
from asrkit.pipeline.tasks.train_plan import make_plan, open_source

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
    """The lengths of a training set, by the rows of its plan."""

    plan: Callable[[float], BatchPlan]
    """Of the batches that training makes with a max_duration."""
    ids: Sequence[str]
    seconds: np.ndarray
    """(N,), float64."""
    frames: list[int]
    labels: list[int]
    stretch: float = 1.0
    """How much longer speed perturbation may make an utterance; `frames` have it."""

    @cached_property
    def longest(self) -> float:
        """Seconds of the longest: a max_duration that gives it a batch of its own."""
        return float(self.seconds.max())

    @property
    def longest_id(self) -> str:
        """Name of the longest."""
        return self.ids[int(self.seconds.argmax())]

    @cached_property
    def total(self) -> float:
        """Seconds of audio in the first epoch."""
        rows = np.concatenate(self.plan(self.longest).batches(0))
        return float(self.seconds[rows].sum())

    def series(self, max_duration: float) -> list[Shape]:
        """Return batches that show what training takes: a few of all, then the worst.

        They are batches of the first epochs that training will have.

        Args:
            max_duration: Most seconds of audio in a batch.
        """
        plan = self.plan(max_duration)
        shapes: list[Shape] = []
        for epoch in range(_EPOCHS):
            shapes += map(self.shape, plan.batches(epoch))
            if len(shapes) > _BATCHES:
                break
        usual = shapes[:: -(-len(shapes) // _USUAL)]
        return list(dict.fromkeys([*usual, *extremes(shapes)]))

    def shape(self, rows: np.ndarray) -> Shape:
        """Return the lengths of some utterances."""
        chosen = rows.tolist()
        return Shape(
            tuple((self.seconds[rows] * self.stretch).tolist()),
            tuple(self.frames[row] for row in chosen),
            tuple(self.labels[row] for row in chosen),
        )


def read_utterances(run: StageRun) -> Utterances:
    """Collect the lengths of a stage's training utterances; no audio is read."""
    config = run.config
    # Stored copies of other speeds are utterances of their own.
    speeds = [1.0] if config.data.stored_features else config.augment.wave.speeds
    stretch, rate = 1.0 / min(speeds), config.features.sampling_rate
    cuts = usable(run, attachments(run)).train
    labels = {
        cut.id: len(run.tokenizer.encode(cut.supervisions[0].text or ""))
        for cut in cuts
    }
    source = open_source(config, cuts)

    def plan(max_duration: float) -> BatchPlan:
        data = replace(config.data, max_duration=max_duration)
        return make_plan(replace(config, data=data), source, run.world).plan

    return Utterances(
        plan=plan,
        ids=source.ids,
        seconds=source.seconds,
        frames=[
            encoder_frames(one * stretch, rate, config.encoder)
            for one in source.seconds.tolist()
        ],
        labels=[labels[name] for name in source.ids],
        stretch=stretch,
    )
