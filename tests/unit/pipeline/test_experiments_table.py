"""The table of experiments, from logs as runs write them."""

import json
import os
import subprocess
import sys
import time

import pytest

from asrkit.cli.training.runs import main
from asrkit.decoding.scoring.error_unit import ErrorUnit
from asrkit.pipeline.experiments_table import Rate, State, list_experiments
from asrkit.pipeline.for_stage import for_stage
from asrkit.pipeline.snapshot import write_snapshot
from asrkit.utils.errors import InputError
from asrkit.utils.plain import to_plain
from tests.unit.pipeline.compose import make

HELD = """
import fcntl, sys
with open(sys.argv[1], "w") as file:
    fcntl.lockf(file, fcntl.LOCK_EX)
    print("held", flush=True)
    sys.stdin.read()
"""


def log(exp_dir, lines, start="2026-01-05-10-00-00", age=10_000.0):
    """Write a log; a line is (seconds after the start, text or (level, text))."""
    folder = exp_dir / "log"
    folder.mkdir(parents=True, exist_ok=True)
    begin = time.mktime(time.strptime(start, "%Y-%m-%d-%H-%M-%S"))
    text = "no line of a log\n"
    for after, said in lines:
        level, said = said if isinstance(said, tuple) else ("INFO", said)
        stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(begin + after))
        text += f"{stamp},123 {level} {said}\n"
    path = folder / f"train-{start}-0.log"
    path.write_text(text)
    (folder / f"train-{start}-1.log").write_text(text)  # of another process
    os.utime(path, (time.time() - age,) * 2)


def config(exp_dir, stage, *overrides):
    """Write the configuration of a stage as a run does."""
    view = for_stage(make(*overrides), stage)
    plain = view.pipeline.stages[stage].matters(to_plain(view))
    (exp_dir / stage).mkdir(parents=True, exist_ok=True)
    write_snapshot(plain, exp_dir / stage / "config.yaml")


TWO_EPOCHS = [
    (0, "stage train (1 of 1)"),
    (60, "  25 %  epoch 0.50  update 50  loss_per_token 2  0:05 left"),
    (100, "epoch 1, update 100, 1:40: loss_per_token 2  dev wer 40.5  (best)"),
    (200, "epoch 2, update 200, 1:40: loss_per_token 2  dev wer 41.25"),
]


def only(root):
    (found,) = list_experiments(root)
    return found


def test_a_run_that_was_killed(tmp_path):
    log(tmp_path / "a" / "b", TWO_EPOCHS)
    found = only(tmp_path)
    assert found.name == "a/b"
    assert found.state is State.INTERRUPTED
    assert (found.stage, found.update, found.dev_rate) == (
        "train 1/1",
        200,
        Rate(40.5, ErrorUnit.WORD),
    )
    assert found.left is None


def test_a_run_that_was_interrupted_a_moment_ago(tmp_path):
    last = (201, "interrupted; everything is saved. To go on, run the same command")
    log(tmp_path / "a", [*TWO_EPOCHS, last], age=1.0)
    assert only(tmp_path).state is State.INTERRUPTED


def test_a_run_that_failed_and_one_that_was_started_again(tmp_path):
    log(tmp_path / "a", [*TWO_EPOCHS, (201, ("ERROR", "failed: no manifest"))], age=1.0)
    assert only(tmp_path).state is State.FAILED
    again = [(0, "stage train (1 of 1)")]
    log(tmp_path / "a", again, start="2026-01-06-10-00-00", age=1.0)
    assert only(tmp_path).state is State.TRAINING


def test_a_run_that_is_done_with_its_results(tmp_path):
    stages = [(0, "stage ctc (1 of 2)"), (9, "stage mbr (2 of 2)")]
    log(tmp_path / "a", stages)
    (tmp_path / "a" / "ctc").mkdir()
    (tmp_path / "a" / "ctc" / "done").write_text("{}")
    assert only(tmp_path).state is not State.DONE
    (tmp_path / "a" / "mbr").mkdir()
    (tmp_path / "a" / "mbr" / "done").write_text("{}")
    rows = [("test", 5.5), ("other", 9.0), ("test", 5.0)]
    characters = {"set": "zh", "unit": "character", "cer": 3.0}
    (tmp_path / "a" / "decode").mkdir()
    (tmp_path / "a" / "decode" / "results.json").write_text(
        json.dumps([*({"set": name, "wer": wer} for name, wer in rows), characters])
    )
    found = only(tmp_path)
    assert found.state is State.DONE
    assert found.stage == "mbr 2/2"
    assert found.test_rates == {
        "test": Rate(5.0, ErrorUnit.WORD),
        "other": Rate(9.0, ErrorUnit.WORD),
        "zh": Rate(3.0, ErrorUnit.CHARACTER),
    }


LM = ["+lm@pipeline.stages.lm_lstm=lstm", "pipeline.order=[lm_lstm]"]


@pytest.mark.parametrize(
    ("stage", "overrides"),
    [
        ("train", ["num_epochs=6"]),
        ("train", ["num_updates=600"]),
        ("lm_lstm", [*LM, "pipeline.stages.lm_lstm.num_epochs=6"]),
    ],
)
def test_the_time_left_follows_the_pace_since_the_last_start(
    tmp_path, stage, overrides
):
    log(tmp_path / "a", TWO_EPOCHS)
    now = time.strftime("%Y-%m-%d-%H-%M-%S", time.localtime(time.time() - 100))
    lines = [
        (0, f"stage {stage} (1 of 1)"),
        (20, "going on from exp/a/last.pt: epoch 2.00, update 200"),
        (60, "  50 %  epoch 2.50  update 250  loss_per_token 2  0:05 left"),
        (100, "epoch 3, update 300, 1:40: loss_per_token 2  dev wer 30  (best)"),
    ]
    log(tmp_path / "a", lines, start=now, age=0.0)
    config(tmp_path / "a", stage, *overrides)
    found = only(tmp_path)
    assert found.state is State.TRAINING
    assert found.dev_rate == Rate(30, ErrorUnit.WORD)
    assert found.left == pytest.approx(3 * 80, abs=5)


def test_a_lock_that_is_held_means_training(tmp_path, capsys):
    log(tmp_path / "a", TWO_EPOCHS)
    config(tmp_path / "a", "train", "num_epochs=6")
    lock = tmp_path / "a" / "train" / ".lock"
    with subprocess.Popen(
        [sys.executable, "-c", HELD, lock], stdin=-1, stdout=-1, text=True
    ) as holder:
        assert holder.stdout.readline() == "held\n"
        assert only(tmp_path).state is State.TRAINING
        holder.communicate("")
    assert only(tmp_path).state is State.INTERRUPTED


def test_the_command_prints_the_newest_last(tmp_path, capsys):
    log(tmp_path / "new", TWO_EPOCHS, age=500)
    log(tmp_path / "older", TWO_EPOCHS, age=5000)
    assert main([str(tmp_path)]) == 0
    header, *rows = capsys.readouterr().out.splitlines()
    assert header.split()[:3] == ["experiment", "state", "stage"]
    assert [row.split()[:2] for row in rows] == [
        ["older", "interrupted"], ["new", "interrupted"],
    ]  # fmt: skip
    assert "40.50" in rows[0]
    with pytest.raises(InputError, match=r"no experiment below .*nothing"):
        main([str(tmp_path / "nothing")])
