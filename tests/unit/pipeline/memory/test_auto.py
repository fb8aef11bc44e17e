"""data.max_duration=auto: what is decided once is kept."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from asrkit.data.batches.loader import DataConfig
from asrkit.pipeline.for_stage import for_stage
from asrkit.pipeline.memory import auto
from asrkit.pipeline.memory.auto import decide_max_duration, settings
from asrkit.pipeline.stages.stage_run import StageRun
from asrkit.training.distributed import World
from asrkit.utils.errors import InputError
from asrkit.utils.plain import to_plain
from tests.unit.pipeline.compose import make


def stage_run(folder, name, *overrides, size=1):
    config = for_stage(make("data.max_duration=auto", *overrides), name)
    return StageRun(
        stage=config.pipeline.stages[name], config=config, plain=to_plain(config),
        folder=Path(folder), exp_dir=Path(folder).parent,
        tokenizer=None, corpus=None, world=World(0, size, torch.device("cpu")),
    )  # fmt: skip


def decide_once(run, seconds):
    decision = {"max_duration": seconds, "limit_gb": 2.0, "settings": settings(run)}
    (run.folder / auto.DECISION).write_text(json.dumps(decision))


@pytest.fixture(autouse=True)
def decided_anew(monkeypatch):
    monkeypatch.setattr(auto, "decide", lambda run, path: auto.Decision(77.0, 1.0))
    monkeypatch.setattr(auto, "steady_heap", lambda device: None)


def test_a_decision_is_kept_as_long_as_it_would_be_the_same(tmp_path):
    run = stage_run(tmp_path, "train")
    assert decide_max_duration(run).config.data.max_duration == 77.0
    decide_once(run, 33.0)
    kept = decide_max_duration(run)
    assert kept.config.data.max_duration == 33.0
    assert kept.memory_limit_gb == 2.0
    same = ("data.num_workers=9", "trainer.log_every=3", "num_epochs=50")
    found = decide_max_duration(stage_run(tmp_path, "train", *same))
    assert found.config.data.max_duration == 33.0
    assert settings(stage_run(tmp_path, "train", size=3)) == settings(run)
    for other in ("loss=full", "data.memory_gb=3"):
        found = decide_max_duration(stage_run(tmp_path, "train", other))
        assert found.config.data.max_duration == 77.0


def test_validation_has_no_larger_batches_and_checkpoints_say_auto(tmp_path):
    run = decide_max_duration(stage_run(tmp_path, "train"))
    assert run.config.decode.max_duration == 77.0
    assert run.plain["data"]["max_duration"] == "auto"
    smaller = stage_run(tmp_path, "train", "decode.max_duration=5")
    assert decide_max_duration(smaller).config.decode.max_duration == 5.0


def test_a_damaged_decision_is_one_clear_message(tmp_path):
    run = stage_run(tmp_path, "train")
    (tmp_path / auto.DECISION).write_text('{"max_duration": "many"}')
    with pytest.raises(InputError, match=r"max_duration.json is damaged .* delete it"):
        decide_max_duration(run)


def test_only_stages_that_have_no_number_are_decided(tmp_path):
    progressive = ["pipeline=frame_wise"]
    own = stage_run(
        tmp_path, "ctc", *progressive, "pipeline.stages.ctc.set.data.max_duration=40"
    )
    assert decide_max_duration(own) is own
    plain = stage_run(tmp_path, "train")
    given = replace(plain, config=make("data.max_duration=50"))
    assert decide_max_duration(given) is given


def test_other_commands_ask_for_a_number():
    assert DataConfig(max_duration=50).batch_seconds == 50.0
    with pytest.raises(InputError, match="give a number of seconds here"):
        _ = DataConfig(max_duration="auto").batch_seconds
    wanted = "(a number of seconds or auto|above 0 and below inf)"
    for wrong in ("much", 0, -5, float("nan"), float("inf")):
        message = f"data.max_duration must be {wanted}, got {wrong!r}"
        with pytest.raises(ValueError, match=message):
            DataConfig(max_duration=wrong)
