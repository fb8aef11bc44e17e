"""The lengths of batches, against those that training reads."""

import itertools
import random
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch
from lhotse import CutSet, MonoCut, Recording, SupervisionSegment
from lhotse.utils import fastcopy

from asrkit.data.batches.cuts import CutList, plan_cuts
from asrkit.data.shards.shard import Field
from asrkit.data.shards.writer import write_shards
from asrkit.models.conformer import ConformerConfig
from asrkit.pipeline.memory.shapes import Shape, Utterances, extremes, read_utterances
from asrkit.pipeline.stages.preparation import encoder_frames
from asrkit.pipeline.stages.stage_run import Corpus
from asrkit.pipeline.stages.train import TrainStageConfig
from asrkit.pipeline.tasks.batches import EncoderFrames, TrainBatches
from asrkit.text.char import CharTokenizerConfig
from asrkit.training.distributed import World
from tests.unit.pipeline.compose import make

BY_FOUR = ConformerConfig()


def cells(shape):
    return [t * (u + 1) for t, u in zip(shape.frames, shape.labels, strict=True)]


def draw(count, seed=0, **options):
    rng = random.Random(seed)
    seconds = [round(min(16.0, max(1.0, rng.gauss(9, 4))), 2) for _ in range(count)]
    names = [f"u{row}" for row in range(count)]
    source = CutList(
        MonoCut(name, start=0, duration=one, channel=0)
        for name, one in zip(names, seconds, strict=True)
    )
    options = {"max_cuts": None, "num_buckets": 8, "seed": 1, **options}
    return Utterances(
        plan=lambda longest: plan_cuts(source, max_duration=longest, **options).plan,
        ids=names,
        seconds=source.seconds,
        frames=[encoder_frames(one, 16000, BY_FOUR) for one in seconds],
        labels=[int(one * rng.uniform(2, 5)) for one in seconds],
    )


SIZES = {
    "B": lambda s: len(s.frames),
    "B T": lambda s: len(s.frames) * max(s.frames),
    "B T U": lambda s: len(s.frames) * max(s.frames) * (max(s.labels) + 1),
    "cells": lambda s: sum(cells(s)),
    "T U": lambda s: max(cells(s)),
}


def largest(shapes):
    return {name: max(map(size, shapes)) for name, size in SIZES.items()}


@pytest.mark.parametrize("options", [{}, {"max_cuts": 7}])
def test_the_series_has_the_worst_batches_of_the_first_epochs(options):
    utterances = draw(1000, **options)
    for max_duration in (60.0, 200.0):
        plan = utterances.plan(max_duration)
        real = [utterances.shape(rows) for n in range(10) for rows in plan.batches(n)]
        found = utterances.series(max_duration)
        assert len(found) < 15
        assert set(found) <= set(real)
        assert largest(found) == largest(real)
        assert max(sum(shape.seconds) for shape in found) <= max_duration


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


def cut(name, seconds, text):
    said = SupervisionSegment(name, name, 0.0, seconds, text=text)
    return MonoCut(name, start=0, duration=seconds, channel=0, supervisions=[said])


def stage_run(cuts, overrides=(), **fields):
    """Put a stage's run together, with a tokenizer whose tokens are letters."""
    return SimpleNamespace(
        stage=TrainStageConfig(**fields),
        corpus=Corpus(CutSet.from_cuts(cuts), CutSet()),
        tokenizer=SimpleNamespace(encode=list, vocab_size=9),
        config=make(*overrides),
        world=World(1, 2, torch.device("cpu")),
        folder=Path("exp/train"),
    )


def test_lengths_are_those_of_the_slowest_copy_that_training_makes():
    cuts = [cut("long", 9.0, "abc"), cut("a", 4.0, "ab"), cut("b", 2.0, "")]

    def read(stored):
        overrides = [
            "data.max_duration=auto", "augment.wave.speeds=[0.8,1.0]",
            f"data.stored_features={stored}",
        ]  # fmt: skip
        return read_utterances(stage_run(cuts, [*overrides, "data.max_seconds=8.0"]))

    found = read(stored=False)
    assert (found.ids, found.labels) == (["a", "b"], [2, 0])
    assert found.seconds.tolist() == [4.0, 2.0]
    assert found.frames == [encoder_frames(s / 0.8, 16000, BY_FOUR) for s in (4.0, 2.0)]
    assert found.shape(np.array([0])).seconds == (5.0,)
    assert (found.longest, found.longest_id, found.total) == (4.0, "a", 6.0)
    assert read(stored=True).frames == [
        encoder_frames(s, 16000, BY_FOUR) for s in (4.0, 2.0)
    ]


def spoken(folder, count):
    """Write recordings; return their cuts."""
    rng = random.Random(3)
    for row in range(count):
        samples = np.full(rng.randint(800, 6400), 0.1)
        soundfile.write(folder / f"u{row}.flac", samples, 16000)
    made = []
    for row in range(count):
        recording = Recording.from_file(folder / f"u{row}.flac")
        one = recording.to_cut().with_id(f"u{row}")
        text = "".join(rng.choices("ab", k=rng.randint(1, 9)))
        said = SupervisionSegment(one.id, one.id, 0.0, one.duration, text=text)
        made.append(fastcopy(one, supervisions=[said]))
    return CutSet.from_cuts(made)


@pytest.mark.parametrize("weights", [None, "[1.5]"])
def test_the_shapes_are_those_of_the_batches_that_training_reads(tmp_path, weights):
    """From manifests (no weights) and from shards, over two epochs."""
    cuts = spoken(tmp_path, 50)
    overrides = [
        "data.max_duration=auto", "data.num_buckets=4", "data.num_workers=0",
        "augment=none", f"exp_dir={tmp_path}",
    ]  # fmt: skip
    if weights:
        (tmp_path / "shards").mkdir()
        write_shards(
            cuts, tmp_path / "shards", field=Field.RECORDING, shard_size=7, jobs=1
        )
        overrides += [
            f"data.shards=[{tmp_path / 'shards'}]", f"data.weights={weights}",
            "data.shard_block=3",
        ]  # fmt: skip
    run = stage_run(cuts, overrides)
    utterances = read_utterances(run)
    plan = utterances.plan(1.5)
    expected = [
        utterances.shape(rows) for epoch in (0, 1) for rows in plan.batches(epoch)
    ]
    config = replace(run.config, data=replace(run.config.data, max_duration=1.5))
    tokenizer = CharTokenizerConfig().train(["a b"])
    world = World(0, 1, torch.device("cpu"))
    found = [
        batch
        for batch, _ in itertools.islice(
            TrainBatches(config, run.corpus.train, tokenizer, world, ())(None),
            len(expected),
        )
    ]
    for shape, batch in zip(expected, found, strict=True):
        assert shape.seconds == tuple(batch.durations)
        frames = EncoderFrames(16000, BY_FOUR.output_lens)(batch).tolist()
        assert (list(shape.frames), list(shape.labels)) == (
            frames, batch.token_lens.tolist(),
        )  # fmt: skip
    per_epoch = 1.5 if weights else 1
    first_epoch = sum(map(len, plan.batches(0)))
    assert first_epoch == pytest.approx(per_epoch * 50, abs=1)
    seconds = sum(sum(s.seconds) for s in expected[: len(plan.batches(0))])
    assert utterances.total == pytest.approx(seconds)
