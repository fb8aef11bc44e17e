"""The best weights: those from before the first update may be among them."""

import json

import pytest
import torch

from asrkit.pipeline.stages.averaging import as_good_as_best, average
from asrkit.pipeline.stages.results import run_to_end
from asrkit.training.checkpoints.checkpoint import load_checkpoint
from asrkit.training.progress.tensorboard import Evaluation
from asrkit.training.selection import Selection
from tests.unit.training.toy import (
    PER_EPOCH,
    make_trainer,
    spoil,
    weights,
)


def guarded(folder, values, *, never_worse=True, **options):
    """Return a trainer whose validations find these values, and draw numbers."""
    torch.manual_seed(3)
    trainer = make_trainer(folder, selection=Selection("wer", never_worse), **options)
    found = iter(values)

    def validate(module):
        torch.rand(5)
        return Evaluation({"wer": next(found)})

    trainer.validate = validate
    return trainer


def best_of(trainer):
    return load_checkpoint(trainer.checkpoints.best)


def test_a_start_that_stays_the_best_is_kept_and_said(tmp_path, caplog):
    caplog.set_level("INFO")
    trainer = guarded(tmp_path, [10.0, 12.0, 10.5, 11.0])
    start = {k: v.clone() for k, v in trainer.average.state_dict().items()}
    run_to_end(trainer, tmp_path)
    best = best_of(trainer)
    assert (best["update"], best["dev"]) == (0, 10.0)
    for name, value in start.items():
        assert torch.equal(best["average"][name], value)
    (line,) = [r.message for r in caplog.records if "kept" in r.message]
    assert line == (
        "dev wer was 10 before the stage and 10.5 at best after: the weights from "
        "before are kept"
    )
    assert "epoch 0.00, update 0: dev wer 10  (best)" in caplog.text
    facts = json.loads((tmp_path / "done").read_text())
    assert (facts["wer"], facts["wer_before"], facts["wer_after"]) == (10.0, 10.0, 10.5)


@pytest.mark.parametrize("value", [10.0, 9.0])
def test_of_equal_weights_the_trained_ones_are_the_best(tmp_path, caplog, value):
    caplog.set_level("INFO")
    trainer = guarded(tmp_path, [10.0, 12.0, value, 11.0])
    run_to_end(trainer, tmp_path)
    assert best_of(trainer)["update"] == 2 * PER_EPOCH
    assert "kept" not in caplog.text
    assert json.loads((tmp_path / "done").read_text())["wer_before"] == 10.0


def test_training_is_the_same_with_and_without(tmp_path):
    values = [12.0, 10.5, 11.0]
    with_start = guarded(tmp_path / "a", [10.0, *values])
    with_start.run()
    without = guarded(tmp_path / "b", values, never_worse=False)
    without.run()
    assert torch.equal(weights(with_start), weights(without))
    assert best_of(without)["update"] == 2 * PER_EPOCH


@pytest.mark.parametrize("moment", ["in", "after"])
def test_killed_about_the_validation_of_the_start(tmp_path, moment):
    values = [10.0, 12.0, 10.5, 11.0]
    whole = guarded(tmp_path / "whole", values)
    whole.run()

    def dying(*_):
        raise OSError("the machine went away")

    stopped = guarded(tmp_path / "parts", values)
    if moment == "in":
        stopped.validate = dying
    else:
        stopped.step = dying
    with pytest.raises(OSError, match="went away"):
        stopped.run()
    names = {path.name for path in stopped.checkpoints.folder.iterdir()}
    saved = {"last.pt", "best.pt"} if moment == "after" else set()
    assert names == {"start.pt", *saved}
    resumed = guarded(tmp_path / "parts", values if moment == "in" else values[1:])
    resumed.run()
    assert torch.equal(weights(resumed), weights(whole))
    own, expected = best_of(resumed), best_of(whole)
    assert own["update"] == expected["update"] == 0
    last = load_checkpoint(resumed.checkpoints.last)
    assert (last["dev_before"], last["dev_after"], last["best"]) == (10.0, 10.5, 10.0)


def test_a_stage_goes_back_to_its_validated_start(tmp_path, caplog):
    caplog.set_level("INFO")
    opened = []

    def bad_once(position):
        opened.append(position)
        return spoil(range(2, 5) if len(opened) == 1 else ())(position)

    trainer = guarded(
        tmp_path, [10.0, 9.0], num_epochs=1, batches=bad_once, bad_updates_in_a_row=3
    )
    trainer.run()
    assert opened == [None, None]
    assert trainer.update == PER_EPOCH
    assert best_of(trainer)["dev"] == 9.0


def test_a_stage_that_began_without_it_says_so(tmp_path, caplog):
    caplog.set_level("INFO")
    guarded(tmp_path, [12.0], never_worse=False, num_epochs=1).run()
    trainer = guarded(tmp_path, [11.0], num_epochs=2)
    run_to_end(trainer, tmp_path)
    assert "began without a validation of its start" in caplog.text
    assert "wer_before" not in json.loads((tmp_path / "done").read_text())


@pytest.mark.parametrize(
    ("values", "chosen"),
    [
        ([10.0, 10.4, 10.2, 10.9], ["best.pt"]),  # the start
        ([10.0, 10.4, 9.9, 9.95], ["best.pt", "epoch-3.pt"]),
    ],
)
def test_no_average_has_weights_that_are_worse_than_the_start(
    tmp_path, caplog, values, chosen
):
    caplog.set_level("INFO")
    trainer = guarded(tmp_path, values)
    trainer.run()
    paths = as_good_as_best(trainer.checkpoints.folder)
    assert [path.name for path in paths] == chosen
    assert "not averaged, worse on dev than before the stage (10): epoch-1.pt" in (
        caplog.text
    )
    if len(chosen) == 1:
        found = average(paths)["average"]
        for name, value in best_of(trainer)["average"].items():
            assert torch.equal(found[name], value)
