"""The lengths of batches, against those that Lhotse's sampler makes."""

import random
from types import SimpleNamespace

import pytest
from lhotse import CutSet, MonoCut

from asrkit.data.batches.loader import DataConfig
from asrkit.data.batches.plan import BatchPlan
from asrkit.models.conformer import ConformerConfig
from asrkit.pipeline.memory.shapes import Shape, Utterances, extremes, read_utterances
from asrkit.pipeline.stages.preparation import encoder_frames

BY_FOUR = ConformerConfig()


def cells(shape):
    return [t * (u + 1) for t, u in zip(shape.frames, shape.labels, strict=True)]


def draw(count, seed=0):
    rng = random.Random(seed)
    seconds = sorted(
        round(min(16.0, max(1.0, rng.gauss(9, 4))), 2) for _ in range(count)
    )
    return Utterances(
        ids=[f"u{row}" for row in range(count)],
        seconds=seconds,
        frames=[encoder_frames(one, 16000, BY_FOUR) for one in seconds],
        labels=[int(one * rng.uniform(2, 5)) for one in seconds],
    )


def by_lhotse(utterances, data, max_duration, epochs):
    rows = {name: row for row, name in enumerate(utterances.ids)}
    cuts = [
        MonoCut(name, start=0, duration=seconds, channel=0)
        for name, seconds in zip(utterances.ids, utterances.seconds, strict=True)
    ]
    random.Random(5).shuffle(cuts)
    plan = BatchPlan(
        CutSet.from_cuts(cuts), max_duration=max_duration, max_cuts=data.max_cuts,
        num_buckets=data.num_buckets, shuffle=True, seed=3,
    )  # fmt: skip
    return [
        utterances.shape(rows[cut.id] for cut in batch)
        for epoch in range(epochs)
        for batch, _ in plan.batches(epoch)
    ]


SIZES = {
    "B": lambda s: len(s.frames),
    "B T": lambda s: len(s.frames) * max(s.frames),
    "B T U": lambda s: len(s.frames) * max(s.frames) * (max(s.labels) + 1),
    "cells": lambda s: sum(cells(s)),
    "T U": lambda s: max(cells(s)),
}


@pytest.mark.parametrize("options", [{}, {"max_cuts": 7}])
def test_the_worst_batches_are_as_large_as_those_of_real_epochs(options):
    data = DataConfig(**{"num_buckets": 20, **options})
    utterances = draw(1000)
    for max_duration in (60.0, 200.0):
        real = by_lhotse(utterances, data, max_duration, epochs=4)
        found = utterances.series(data, max_duration, seed=1)
        for name, size in SIZES.items():
            ratio = max(map(size, found)) / max(map(size, real))
            # The worst of ten epochs and of four: chance has a hand in it.
            assert 0.9 < ratio < 1.25, (name, max_duration, ratio)


def test_an_epoch_has_every_utterance_once():
    utterances = draw(101)
    batches = list(
        utterances.batches(DataConfig(num_buckets=4), 30.0, random.Random(0))
    )
    assert sorted(row for batch in batches for row in batch) == list(range(101))
    spread = [max(batch) - min(batch) for batch in batches]
    assert max(spread) < 101 / 2  # neighbours in duration stay together


def test_extremes_hold_the_largest_by_every_measure():
    rng = random.Random(1)
    shapes = []
    for _ in range(300):
        frames = tuple(rng.randint(1, 90) for _ in range(rng.randint(1, 9)))
        labels = tuple(rng.randint(0, 30) for _ in frames)
        shapes.append(Shape(tuple(t / 25 for t in frames), frames, labels))
    kept = extremes(shapes)
    assert len(kept) < 10
    for name, size in SIZES.items():
        assert max(map(size, kept)) == max(map(size, shapes)), name


def test_lengths_are_those_of_the_slowest_copy_that_training_makes():
    def cut(name, seconds, text):
        return SimpleNamespace(
            id=name, duration=seconds, supervisions=[SimpleNamespace(text=text)]
        )

    def read(stored):
        return read_utterances(
            SimpleNamespace(
                corpus=SimpleNamespace(
                    train=[
                        cut("long", 9.0, "abc"),
                        cut("a", 4.0, "ab"),
                        cut("b", 2.0, ""),
                    ]
                ),
                tokenizer=SimpleNamespace(encode=list),
                config=SimpleNamespace(
                    data=DataConfig(max_seconds=8.0, stored_features=stored),
                    features=SimpleNamespace(sampling_rate=16000),
                    encoder=BY_FOUR,
                    augment=SimpleNamespace(wave=SimpleNamespace(speeds=[0.8, 1.0])),
                ),
            )
        )

    found = read(stored=False)
    assert (found.ids, found.seconds, found.labels) == (["b", "a"], [2.0, 4.0], [0, 2])
    assert found.frames == [encoder_frames(s / 0.8, 16000, BY_FOUR) for s in (2.0, 4.0)]
    assert found.shape([1]).seconds == (5.0,)
    assert (found.longest, found.total) == (4.0, 6.0)
    assert read(stored=True).frames == [
        encoder_frames(s, 16000, BY_FOUR) for s in (2.0, 4.0)
    ]
