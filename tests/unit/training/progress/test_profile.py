"""The profile of a toy task: its parts make up the step, and it changes nothing."""

import gzip
import json
import re
import time

import pytest
import torch

from asrkit.training.progress.profile import parts_of
from tests.unit.training.toy import ToyTask, make_trainer, toy_batches, weights

STEP = 0.02  # seconds that each of data, forward and backward takes at least


class Slow(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        time.sleep(STEP)
        return gradient


class SlowTask(ToyTask):
    """Its last layer takes some time, and as much in the backward pass."""

    def __init__(self):
        super().__init__()
        self.layers[2].register_forward_hook(self.slow)

    def slow(self, module, inputs, output):
        time.sleep(STEP)
        return Slow.apply(output)


def read_table(folder):
    """Return the part and the milliseconds of each line of the table."""
    lines = (folder / "profile" / "table.txt").read_text().split("\n\n")[0].splitlines()
    rows = [re.fullmatch(r"(.+?) +([\d.]+) +([\d.]+)", line) for line in lines[1:]]
    return {row[1]: float(row[2]) for row in rows}


def test_the_parts_make_up_the_step(tmp_path):
    begins, ends = [], []

    def batches(position):
        for item in toy_batches(position):
            begins.append(time.perf_counter())
            time.sleep(STEP)
            yield item

    trainer = make_trainer(
        tmp_path, task=SlowTask(), batches=batches, validate_every=3, save_every=3,
        profile=True,
    )  # fmt: skip
    look_after = trainer.look_after

    def look_and_note(**options):
        look_after(**options)
        ends.append(time.perf_counter())

    trainer.look_after = look_and_note
    trainer.run()
    table = read_table(tmp_path)
    whole = table.pop("all")
    assert whole == pytest.approx(sum(table.values()), abs=0.1)
    steps = [e - b for b, e in zip(begins[4:8], ends[4:8], strict=True)]
    assert whole == pytest.approx(1e3 * sum(steps) / 4, rel=0.1)
    for part in ("data wait", "forward: layers.2", "backward"):
        assert table[part] >= 1e3 * STEP
    assert sum(table.values()) - table["data wait"] >= 2e3 * STEP
    for part in ("optimizer", "average", "sum of gradients, clipping"):
        assert 0 < table[part] < 1e3 * STEP
    with gzip.open(tmp_path / "profile" / "trace.json.gz", "rt") as file:
        names = {event.get("name") for event in json.load(file)["traceEvents"]}
    assert {"forward: layers.2", "optimizer", "aten::addmm"} <= names


def test_weights_are_the_same_with_and_without(tmp_path, caplog):
    caplog.set_level("INFO")
    ends = []
    for name, profile in (("with", True), ("without", False)):
        torch.manual_seed(3)
        trainer = make_trainer(tmp_path / name, profile=profile, accumulate=2)
        trainer.run()
        ends.append(weights(trainer))
        assert not list(trainer.task.modules())[1]._forward_hooks
    assert torch.equal(*ends)
    assert "profile of updates 5 to 8 of this run" in caplog.text
    assert not (tmp_path / "without" / "profile").exists()


def test_a_run_that_is_too_short_says_so(tmp_path, caplog):
    make_trainer(tmp_path, num_epochs=0.5, profile=True).run()
    assert "no profile: training ended before update 5" in caplog.text
    assert not (tmp_path / "profile").exists()


def test_a_run_that_ends_early_gives_a_profile_of_what_there_is(tmp_path, caplog):
    caplog.set_level("INFO")
    make_trainer(tmp_path, num_epochs=1, profile=True).run()
    assert "profile of updates 5 to 6 of this run" in caplog.text


def test_lists_and_dicts_do_not_count_as_parts():
    task = torch.nn.Module()
    task.model = torch.nn.Module()
    task.model.encoder = torch.nn.Module()
    task.model.encoder.blocks = torch.nn.ModuleList([torch.nn.Linear(1, 1)])
    task.criterion = torch.nn.Module()
    task.criterion.criteria = torch.nn.ModuleDict({"ctc": torch.nn.Linear(1, 1)})
    names = [name for name, module in parts_of(task) if type(module) is torch.nn.Linear]
    assert names == ["forward: model.encoder", "forward: criterion.ctc"]
