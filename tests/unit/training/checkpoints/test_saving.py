"""Checkpoints off the training thread."""

import threading

import pytest
import torch
from torch import nn

from asrkit.training.checkpoints.checkpoint import Checkpoints, load_checkpoint
from asrkit.training.checkpoints.saving import Saver, all_finite, host_copy
from asrkit.utils.errors import InputError
from tests.unit.training.toy import CPU


def state(value):
    return {"average": {"w": torch.full((4,), float(value))}, "update": value}


@pytest.fixture
def held(tmp_path, monkeypatch):
    """Return a saver whose writing waits until it is let go."""
    saver = Saver(Checkpoints(tmp_path, keep=0), CPU, None)
    let_go = threading.Event()
    write = saver.checkpoints.save
    running = []

    def slowly(state, **kinds):
        running.append(state["update"])
        assert len(running) == 1, "two at a time"
        let_go.wait(10)
        write(state, **kinds)
        running.pop()

    monkeypatch.setattr(saver.checkpoints, "save", slowly)
    return saver, let_go


def test_what_changes_while_it_is_written_is_not_written(held):
    saver, let_go = held
    one = state(1)
    with saver:
        saver.save(one)
        one["average"]["w"].zero_()
        one["average"]["new"] = torch.ones(1)
        assert not saver.checkpoints.last.exists()
        let_go.set()
    written = load_checkpoint(saver.checkpoints.last)  # leaving has waited for it
    assert written["average"]["w"].tolist() == [1.0] * 4
    assert list(written["average"]) == ["w"]


def test_one_is_written_at_a_time_and_in_order(held):
    saver, let_go = held
    threading.Timer(0.5, let_go.set).start()
    with saver:
        saver.save(state(1))
        assert not let_go.is_set()  # nothing was in its way
        for update in (2, 3):
            saver.save(state(update))
            assert let_go.is_set()  # waited for the one before
    assert load_checkpoint(saver.checkpoints.last)["update"] == 3
    assert load_checkpoint(saver.checkpoints.previous)["update"] == 2


@pytest.fixture
def failing(tmp_path, monkeypatch):
    saver = Saver(Checkpoints(tmp_path, keep=0), CPU, None)

    def fail(state, **kinds):
        raise InputError("no space left")

    monkeypatch.setattr(saver.checkpoints, "save", fail)
    return saver


@pytest.mark.parametrize("moment", ["check", "next", "leave", "interrupt"])
def test_an_error_of_the_thread_comes_out(failing, moment):
    def use():
        with failing:
            failing.save(state(1))
            if moment == "check":
                while True:
                    failing.check()
            if moment == "next":
                failing.save(state(2))
            if moment == "interrupt":
                raise KeyboardInterrupt

    with pytest.raises(InputError, match="no space left"):
        use()


def test_another_error_is_not_hidden_by_that_of_the_thread(failing, caplog):
    def use():
        with failing:
            failing.save(state(1))
            raise OSError("the machine went away")

    with pytest.raises(OSError, match="went away"):
        use()
    assert "no space left" in caplog.text


def test_a_copy_shares_what_was_shared_and_nothing_else():
    layer = nn.Linear(2, 2)
    tied = nn.ModuleDict({"a": layer, "b": layer})
    copied = host_copy({"task": tied.state_dict(), "lrs": [{"lr": 0.1}], "none": None})
    task = copied["task"]
    assert task["a.weight"].data_ptr() == task["b.weight"].data_ptr()
    assert task["a.weight"].data_ptr() != layer.weight.data_ptr()
    assert torch.equal(task["a.weight"], layer.weight)
    assert copied["lrs"] == [{"lr": 0.1}]
    assert copied["none"] is None


def test_all_finite():
    good, bad = torch.ones(3), torch.tensor([1.0, float("inf")])
    assert all_finite([good, good])
    assert not all_finite([good, bad])
    assert not all_finite([good * float("nan"), good])
