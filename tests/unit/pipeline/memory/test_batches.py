"""Made-up batches have the lengths that were asked for, and what a stage takes."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from asrkit.data.batches.plan import BatchPlan
from asrkit.losses.mbr import MbrLossConfig
from asrkit.losses.mwer import MwerLossConfig
from asrkit.models.conformer import ConformerConfig
from asrkit.pipeline.components import COMPONENTS
from asrkit.pipeline.memory import table
from asrkit.pipeline.memory.batches import make_batch
from asrkit.pipeline.memory.room import Room
from asrkit.pipeline.memory.shapes import Shape, Utterances
from asrkit.pipeline.stages.preparation import encoder_frames
from asrkit.pipeline.stages.train import build_task
from tests.unit.pipeline.memory.test_auto import stage_run

BY_FOUR = ConformerConfig()
SECONDS = (1.3, 0.7, 1.0)
SHAPE = Shape(
    SECONDS,
    tuple(encoder_frames(s, 16000, BY_FOUR) for s in SECONDS),
    (5, 0, 3),
)
SMALL = [
    "encoder=conformer_2m", "encoder.num_layers=2", "encoder.dim=16",
    "encoder.ff_dim=16", "predictor.dim=8", "joiner.dim=8", "augment=none",
]  # fmt: skip


def test_a_table_has_the_losses_that_a_training_can_begin_with(tmp_path, monkeypatch):
    run = stage_run(tmp_path, "train", *SMALL, "loss=pruned", "loss.s_range=7")
    run = replace(run, tokenizer=SimpleNamespace(vocab_size=7))
    tried = []
    monkeypatch.setattr(table, "measure", lambda planner, *_: tried.append(planner))
    seconds = np.array([2.0])

    def plan(longest):
        return BatchPlan(seconds, groups=np.zeros(1), max_length=longest, seed=0)

    utterances = Utterances(plan, ["a"], seconds, [50], [3])
    room = Room(1e9, 2e9, 0.0, "free memory")
    found = table.compare(run, utterances, room, COMPONENTS["loss"])
    later = ("viterbi", "mbr", "mwer")  # need alignments, lists or a trained model
    names = [kind.name for kind in COMPONENTS["loss"] if kind.name not in later]
    assert [row.name for row in found.rows] == names
    assert [planner.costs.loss.name for planner in tried] == names
    assert tried[names.index("pruned")].costs.loss.s_range == 7


def prepare(folder, name, *overrides):
    run = stage_run(folder, name, *SMALL, *overrides)
    loss = run.config.loss.without_search()
    run = replace(run, tokenizer=SimpleNamespace(vocab_size=7))
    return run, build_task(replace(run, config=replace(run.config, loss=loss)))


@pytest.mark.parametrize(
    ("name", "overrides"),
    [
        ("train", ["loss=fused"]),
        ("train", ["loss=fused", "data.stored_features=true"]),
        ("train", ["loss=mwer", "loss.num_hypotheses=3"]),
        ("viterbi", ["pipeline=frame_wise"]),
        ("mbr", ["pipeline=frame_wise"]),
    ],
)
def test_a_task_takes_them_and_finds_the_lengths(tmp_path, name, overrides):
    run, task = prepare(tmp_path, name, *overrides)
    batch = make_batch(SHAPE, run)
    assert batch.has_features == run.config.data.stored_features
    encoded = task.eval().encode(batch)
    assert encoded.enc_lens.tolist() == list(SHAPE.frames)
    assert encoded.token_lens.tolist() == list(SHAPE.labels)
    output = task.train()(batch)
    assert torch.isfinite(output.loss)
    output.loss.backward()
    if batch.alignment is not None:
        labels = (batch.alignment != 0).sum(dim=1).tolist()
        assert labels == list(SHAPE.labels)
    if name == "mbr":
        assert batch.nbest.tokens.shape == (3, 4, 5)


def test_what_searches_in_training_takes_made_up_lists(tmp_path):
    run, _ = prepare(tmp_path, "train", "loss=mwer", "loss.num_hypotheses=3")
    assert make_batch(SHAPE, run).nbest.tokens.shape == (3, 3, 5)
    loss = MwerLossConfig(renorm_scale=1.5, reference_weight=0.2).without_search()
    assert type(loss) is MbrLossConfig
    assert (loss.renorm_scale, loss.reference_weight) == (1.5, 0.2)
