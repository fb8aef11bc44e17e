"""How long a stage trains where others have left some of their budget."""

import json
from dataclasses import replace

import pytest

from asrkit.pipeline.runner import check_order
from asrkit.pipeline.stages.budget import length_of
from asrkit.training.length import Length
from asrkit.utils.errors import InputError
from tests.unit.pipeline.compose import make
from tests.unit.pipeline.memory.test_auto import stage_run


def leave(folder, stage, **facts):
    (folder / stage).mkdir()
    (folder / stage / "done").write_text(json.dumps({"updates": 9, **facts}))


def test_what_is_left_is_counted_in_updates_and_in_epochs():
    assert Length(20.0, 300).unspent(4.0, 120) == (180, pytest.approx(6.0))
    assert Length(20.0).unspent(4.0, 120) == (480, pytest.approx(16.0))
    assert Length(20.0).unspent(20.0, 600) == (0, 0.0)


def test_a_budget_is_longer_by_what_others_have_left(tmp_path):
    leave(tmp_path, "ctc", unspent_updates=180, unspent_epochs=6.5)
    leave(tmp_path, "viterbi")  # has spent all, or is of an earlier version
    run = stage_run(tmp_path / "full_sum", "full_sum", "pipeline=frame_wise")
    for epochs, updates in ((15.0, 500), (5.0, None)):
        config = replace(run.config, num_epochs=epochs, num_updates=updates)
        own = replace(run, config=config)
        expected = Length(epochs + 6.5, updates and updates + 180)
        assert length_of(own, ["ctc", "viterbi"]) == expected
        assert length_of(own, []) == Length(epochs, updates)


def taking(config, **takers):
    """Return a configuration whose stages take the rest of others."""
    stages = {
        name: replace(stage, takes_rest_of=takers[name]) if name in takers else stage
        for name, stage in config.pipeline.stages.items()
    }
    return replace(config, pipeline=replace(config.pipeline, stages=stages))


def test_the_rest_is_of_a_stage_before(tmp_path):
    config = make("pipeline=frame_wise")
    check_order(taking(config, full_sum=["ctc", "viterbi"]), tmp_path)
    with pytest.raises(InputError, match="full_sum takes what stage 'mbr' leaves"):
        check_order(taking(config, full_sum=["mbr"]), tmp_path)


def test_the_rest_is_of_a_stage_that_trains_and_is_spent_once():
    config = make("pipeline=frame_wise")
    with pytest.raises(ValueError, match="rest of 'align', which does not train"):
        taking(config, full_sum=["align"])
    with pytest.raises(ValueError, match="viterbi and full_sum both take the rest of"):
        taking(config, viterbi=["ctc"], full_sum=["ctc"])
