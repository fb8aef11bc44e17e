"""What a run shows of itself: of one process, and of several."""

import dataclasses
import time
from types import SimpleNamespace

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from asrkit.training.progress.metrics import OwnTime, Share, merge
from tests.unit.training.toy import ToyTask, make_trainer, spoil, toy_batches

QUICK = Share(10.0, waited=1.0, computed=3.0, peak_memory_gb=2.0, readings=(1, 50))
SLOW = Share(10.0, waited=2.0, computed=6.0, peak_memory_gb=1.5, readings=(2, 70))


def test_of_several_processes_the_slowest_counts():
    found = merge([QUICK, SLOW, QUICK])
    assert found == {
        "data_wait_percent": 20.0,
        "peak_memory_gb": 2.0,
        "utterances_left_out": 4,
        "utterances_left_out_percent": pytest.approx(100 * 4 / 170),
        "slowest_rank": 1,
        "slowest_to_mean": 1.5,  # 8 s, and 16 / 3 on average
    }


def test_one_process_is_not_compared_and_what_is_unknown_not_shown():
    found = merge([dataclasses.replace(QUICK, readings=None)])
    assert found == {"data_wait_percent": 10.0, "peak_memory_gb": 2.0}


def test_own_time_is_that_of_both_passes_and_of_nothing_else():
    task = ToyTask()
    own = OwnTime(task, torch.device("cpu"))
    (batch, _), *_ = [next(toy_batches(None))]
    task.layers[0].register_forward_hook(lambda *_: time.sleep(0.02))
    task.layers[0].weight.register_hook(lambda _: time.sleep(0.02))
    start = time.perf_counter()
    for _ in range(2):
        task(batch).loss.backward()
    whole = time.perf_counter() - start
    with torch.no_grad():
        task(batch)  # as when a bad update is dumped
    assert 0.08 <= own.take() <= whole
    assert own.take() == 0.0


def scalars(folder):
    """Return name -> values of the points of training."""
    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    return {
        tag.split("/")[-1]: [point.value for point in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
        if "/dev/" not in tag
    }


def test_points_and_lines_say_what_went_wrong(tmp_path, caplog):
    caplog.set_level("INFO")
    trainer = make_trainer(
        tmp_path, batches=spoil({2}), num_epochs=1, log_every=3, memory_limit_gb=64.0,
        readings=SimpleNamespace(failed=3, tried=60),
    )  # fmt: skip
    trainer.gradients.split_batches = 2
    trainer.run()
    found = scalars(tmp_path)
    assert found["updates_left_out"] == [1, 1]
    assert found["split_batches"] == [2, 2, 2]
    assert "roll_backs" not in found
    assert found["utterances_left_out"] == [3, 3, 3]
    assert found["utterances_left_out_percent"] == pytest.approx([5.0] * 3)
    assert all(0 <= percent <= 100 for percent in found["data_wait_percent"])
    for peak, share in zip(
        found["peak_memory_gb"], found["memory_of_limit"], strict=True
    ):
        assert share == pytest.approx(peak / 64.0)
    (line,) = [line for line in caplog.messages if line.startswith("epoch 1")]
    for shown in (
        "updates_left_out 1", "split_batches 2", "utterances_left_out 3",
        "memory_of_limit 0.0", "data_wait_percent ",
    ):  # fmt: skip
        assert f" {shown}" in line
    assert "roll_backs" not in line


def test_what_did_not_happen_is_not_on_the_line(tmp_path, caplog):
    caplog.set_level("INFO")
    make_trainer(tmp_path, num_epochs=1).run()
    (line,) = [line for line in caplog.messages if line.startswith("epoch 1")]
    for name in ("left_out", "split_batches", "roll_backs", "of_limit", "slowest"):
        assert name not in line
