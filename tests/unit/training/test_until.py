"""A training that ends when dev has come to rest: when that is, and after a stop."""

import json
import math
import os
import random
import signal

import pytest
import torch

from asrkit.pipeline.stages.results import run_to_end
from asrkit.training.checkpoints.checkpoint import load_checkpoint
from asrkit.training.progress.tensorboard import Evaluation
from asrkit.training.until import UntilConfig
from tests.unit.training.toy import (
    PER_EPOCH,
    make_trainer,
    spoil,
    toy_batches,
    weights,
)


class Moved:
    """Measures how far the weights are from where they were at the last validation."""

    def __init__(self):
        self.before = None

    def state_dict(self):
        return {} if self.before is None else {"before": self.before}

    def load_state_dict(self, state):
        self.before = state.get("before")

    def __call__(self, module):
        now = torch.cat([p.flatten() for p in module.parameters()])
        moved = 1.0 if self.before is None else float((now - self.before).norm())
        self.before = now.clone()
        return Evaluation({"wer": 50.0, "moved": moved, "drawn": float(torch.rand(()))})


def make(folder, rule, *, number=9, **options):
    """Return a trainer of so many epochs that ends by a rule for how far it moves."""
    moved = Moved()
    until = UntilConfig(scalar="moved", **rule).build(moved)
    torch.manual_seed(3)
    trainer = make_trainer(folder, num_epochs=number, until=until, **options)
    trainer.validate = moved
    return trainer


def end(values, shares, improvement, patience, least):
    """Return after which of some validations a training ends, by the definition."""
    better = [0]
    for index, value in enumerate(values):
        if value < (1.0 - improvement) * values[better[-1]]:
            better.append(index)
    for index, share in enumerate(shares):
        last = max(one for one in better if one <= index)
        if index - last >= patience and share >= least:
            return index
    return None


def test_it_ends_where_the_definition_says():
    dice, ends = random.Random(4), set()
    for _ in range(300):
        count = dice.randint(1, 12)
        values = [dice.choice([1.0, 0.9, 0.5, 0.45, 0.44, 0.0]) for _ in range(count)]
        shares = sorted(dice.random() for _ in range(count))
        rule = dice.choice([0.0, 0.05, 0.3]), dice.randint(1, 3), dice.random()
        improvement, patience, least = rule
        until = UntilConfig(
            scalar="x", improvement=improvement, patience=patience, least=least
        ).build()
        reached = []
        for value, share in zip(values, shares, strict=True):
            until.take({"x": value}, share)
            reached.append(until.reached)
        expected = end(values, shares, improvement, patience, least)
        assert (reached.index(True) if any(reached) else None) == expected
        ends.add(expected)
    assert len(ends) > 6


def test_a_value_that_is_low_enough_in_a_row():
    until = UntilConfig(scalar="x", below=0.1, patience=2, least=0.5).build()
    reached = []
    for value in (0.05, 0.05, 0.2, 0.05, math.nan, 0.09, 0.1, 0.09, 0.0):
        until.take({"x": value}, 0.5)
        reached.append(until.reached)
    assert reached == [False, True, *[False] * 6, True]


def test_a_slow_fall_counts_when_it_has_added_up():
    until = UntilConfig(scalar="x", improvement=0.02, patience=3).build()
    for step in range(20):
        until.take({"x": 0.99**step}, 1.0)
        assert not until.reached


@pytest.mark.parametrize(
    "values",
    [{"scalar": "wer"}, {"below": 1.0}, {"scalar": "wer", "below": 1.0,
     "improvement": 0.1}, {"improvement": 0.1}],
)  # fmt: skip
def test_half_a_rule_is_refused(values):
    with pytest.raises(ValueError, match="give a scalar and one of improvement"):
        UntilConfig(**values)


def test_a_stage_says_what_has_ended_it(tmp_path, caplog):
    caplog.set_level("INFO")
    trainer = make(tmp_path / "early", {"improvement": 0.5, "patience": 1})
    run_to_end(trainer, tmp_path / "early")
    facts = json.loads((tmp_path / "early" / "done").read_text())
    epochs = facts["epochs"]
    assert epochs == trainer.epochs < 9
    assert facts["ended_by"] == "until"
    assert facts["unspent_updates"] == 9 * PER_EPOCH - trainer.update
    assert facts["unspent_epochs"] == 9 - epochs
    assert facts["until_moved"] == trainer.until.value
    assert f"ended by until, {100 * epochs / 9:.0f} % of the budget: dev moved is" in (
        caplog.text
    )
    # The last state is that of the validation which ended it.
    last = load_checkpoint(trainer.checkpoints.last)
    assert last["until"]["value"] == facts["until_moved"]
    whole = make(tmp_path / "whole", {"below": 1e-9}, number=2)
    run_to_end(whole, tmp_path / "whole")
    facts = json.loads((tmp_path / "whole" / "done").read_text())
    assert facts["ended_by"] == "budget"
    assert "unspent_updates" not in facts
    assert whole.update == 2 * PER_EPOCH
    (line,) = [r.message for r in caplog.records if "by its budget" in r.message]
    value = facts["until_moved"]
    assert line == (
        f"ended by its budget: dev moved is {value:.4g}, 0 times in a row below 1e-09 "
        "(until.patience 2)"
    )


def test_a_rule_that_comes_true_with_the_budget_leaves_nothing(tmp_path):
    trainer = make(tmp_path, {"below": 9.0, "patience": 2, "least": 0.0}, number=2)
    run_to_end(trainer, tmp_path)
    assert trainer.until.reached
    assert json.loads((tmp_path / "done").read_text())["ended_by"] == "budget"


RULE = {"improvement": 0.3, "patience": 2, "least": 0.2}
WITHIN = {"validate_every_updates": 4}


@pytest.mark.parametrize("options", [{}, WITHIN])
def test_killed_again_and_again_it_ends_the_same(tmp_path, options):
    whole = make(tmp_path / "whole", RULE, **options)
    whole.run()
    assert whole.done < 1.0
    fetched, validated = set(), set()

    def dying(position):
        for batch, at in toy_batches(position):
            if at.batches % 3 == 0 and at.batches not in fetched:
                fetched.add(at.batches)
                raise OSError("the machine went away")
            yield batch, at

    kills = 0
    while True:
        torch.manual_seed(kills)
        trainer = make(
            tmp_path / "parts", RULE, batches=dying, save_every_updates=1, **options
        )
        validate = trainer.validate

        def dying_in_validation(module, trainer=trainer, validate=validate):
            found = validate(module)
            if trainer.update not in validated:
                validated.add(trainer.update)
                raise OSError("the machine went away")
            return found

        trainer.validate = dying_in_validation
        try:
            trainer.run()
            break
        except OSError:
            kills += 1
    assert kills == len(fetched) + len(validated) > 6
    own, expected = (load_checkpoint(one.checkpoints.last) for one in (trainer, whole))
    assert own["update"] == expected["update"] == whole.update
    for part in ("task", "average"):
        for name, value in expected[part].items():
            assert torch.equal(own[part][name], value)
    memories = [state["until"].pop("memory")["before"] for state in (own, expected)]
    assert torch.equal(*memories)
    assert own["until"] == expected["until"]
    # A stage that has ended but is not marked as done makes no further update.
    again = make(tmp_path / "parts", RULE, **options)
    again.validate = None
    again.run()
    assert torch.equal(weights(again), weights(whole))


def test_validations_within_an_epoch(tmp_path, caplog):
    caplog.set_level("INFO")
    found = []
    trainer = make_trainer(tmp_path, num_epochs=2, validate_every=5, **WITHIN)

    def validate(module):
        found.append(trainer.update)
        return Evaluation({"wer": 20.0 - trainer.update})

    trainer.validate = validate
    trainer.run()
    assert found == [4, 8, 12]
    assert "epoch 0.67, update 4: dev wer 16  (best)" in caplog.text
    assert "epoch 2, update 12, " in caplog.text
    assert [p.name for p in trainer.checkpoints.epochs()] == [
        "epoch-1.pt",
        "epoch-2.pt",
    ]
    assert load_checkpoint(trainer.checkpoints.best)["dev"] == 8.0


def test_a_signal_leaves_no_validation_within_an_epoch_out(tmp_path):
    def interrupting(position):
        for batch, at in toy_batches(position):
            if at.batches == 4:
                os.kill(os.getpid(), signal.SIGINT)
            yield batch, at

    with pytest.raises(KeyboardInterrupt):
        make_trainer(tmp_path, batches=interrupting, **WITHIN).run()
    resumed = make_trainer(tmp_path, num_epochs=1, **WITHIN)
    found = []

    def validate(module):
        found.append(resumed.update)
        return Evaluation({"wer": 50.0})

    resumed.validate = validate
    resumed.run()
    assert found == [4, 6]


def test_going_back_to_a_checkpoint_goes_back_in_what_was_found(tmp_path):
    opened, found = [], []

    def bad_twice(position):
        opened.append(position)
        return spoil(range(12, 99) if len(opened) < 3 else ())(position)

    rule = {"improvement": 0.01, "patience": 9}
    trainer = make(tmp_path, rule, number=3, batches=bad_twice, bad_updates_in_a_row=2)
    validate = trainer.validate

    def noting(module):
        evaluation = validate(module)
        found.append((trainer.update, evaluation.scalars, trainer.done))
        return evaluation

    trainer.validate = noting
    trainer.run()
    assert [position and position["batches"] for position in opened] == [None, 12, 6]
    updates = [update for update, *_ in found]
    assert updates == [6, 12, 12, 18]
    other = UntilConfig(scalar="moved", **rule).build()
    for index in (0, 2, 3):
        other.take(*found[index][1:])
    own = trainer.until.state_dict()
    assert {**own, "memory": None} == other.state_dict()
    # What the second validation at 12 was compared with is the one at 6.
    assert found[2][1]["moved"] != found[1][1]["moved"] > 1e-3


@pytest.mark.parametrize("epoch_to_end", [False, True])
def test_a_checkpoint_of_an_earlier_version_is_gone_on_from(tmp_path, epoch_to_end):
    make_trainer(tmp_path, num_epochs=1).run()
    path = tmp_path / "checkpoints" / "last.pt"
    state = load_checkpoint(path)
    for key in ("until", "dev_before", "dev_after", "epoch_ends"):
        del state[key]
    torch.save({**state, "epoch_to_end": epoch_to_end}, path)
    trainer = make(tmp_path, {"below": 9.0, "patience": 2, "least": 0.0})
    trainer.run()
    # The first validation counts whose epoch has not been ended before.
    assert trainer.update == (3 - epoch_to_end) * PER_EPOCH
    assert trainer.selection.best == 50.0


def test_another_rule_begins_to_count_anew(tmp_path):
    first = UntilConfig(scalar="x", below=1.0).build()
    first.take({"x": 0.5}, 0.5)
    state = first.state_dict()
    for values, count in (({"below": 1.0}, 1), ({"below": 0.7}, 0)):
        other = UntilConfig(scalar="x", patience=5, **values).build()
        other.load_state_dict(state)
        assert other.at_rest == count
