"""The real commands on shards: train, kill, resume, two processes."""

import json

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.integration.conftest import run, train, train_and_kill


@pytest.fixture(scope="module")
def shards(manifests, tmp_path_factory):
    """Write the training set as shards with the real command."""
    out = tmp_path_factory.mktemp("shards")
    done = run(
        "scripts/shard.py", "--manifests", manifests, "--sets", "train",
        "--out-dir", out, "--shard-size", 3,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"data.shards=[{out}/train]" in done.stderr
    return f"data.shards=[{out}/train]"


def weights(exp_dir):
    path = exp_dir / "train" / "checkpoints" / "last.pt"
    return torch.load(path, weights_only=True)["task"]


def test_training_from_shards(manifests, shards, tmp_path):
    # The parts of data.train are not even looked for. Characters are counted.
    settings = [shards, "data.train=[nosuch]", "data.weights=[1.5]", "num_epochs=2"]
    settings += ["data.num_workers=1", "decode.unit=CHARACTER"]
    done = train(manifests, tmp_path, *settings)
    assert done.returncode == 0, done.stderr
    assert "best dev cer" in done.stderr.split("stage train done")[1]
    stage = tmp_path / "train"
    best = json.loads((stage / "done").read_text())["cer"]
    events = EventAccumulator(str(stage / "tensorboard")).Reload()
    assert "loss/dev/wer" not in events.Tags()["scalars"]
    # Of equal ones the last.
    lowest = min(events.Scalars("loss/dev/cer"), key=lambda one: (one.value, -one.step))
    assert best == pytest.approx(lowest.value)
    kept = torch.load(stage / "checkpoints" / "best.pt", weights_only=True)
    assert kept["update"] == lowest.step


@pytest.mark.slow
def test_a_killed_run_goes_on_and_ends_with_the_same_weights(
    manifests, shards, tmp_path
):
    settings = [
        shards, "num_epochs=12", "trainer.validate_every=12", "data.shard_block=2",
    ]  # fmt: skip
    whole = train(manifests, tmp_path / "whole", *settings)
    assert whole.returncode == 0, whole.stderr
    moment = "train/checkpoints/epoch-2.pt"
    train_and_kill(manifests, tmp_path / "killed", moment, *settings)
    resumed = train(manifests, tmp_path / "killed", *settings)
    assert resumed.returncode == 0, resumed.stderr
    assert "going on from" in resumed.stderr
    for name, value in weights(tmp_path / "whole").items():
        assert torch.equal(weights(tmp_path / "killed")[name], value), name


@pytest.mark.slow
def test_two_processes_learn_what_one_does(manifests, shards, tmp_path):
    settings = [
        shards, "num_updates=6", "encoder.dropout=0", "predictor.dropout=0",
        "data.max_duration=4",
    ]  # fmt: skip
    alone = train(manifests, tmp_path / "1", *settings, "trainer.accumulate=2")
    assert alone.returncode == 0, alone.stderr
    both = train(manifests, tmp_path / "2", *settings, processes=2)
    assert both.returncode == 0, both.stderr
    two = weights(tmp_path / "2")
    for name, value in weights(tmp_path / "1").items():
        torch.testing.assert_close(two[name], value, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_a_set_that_is_missing_is_named(manifests, tmp_path):
    done = train(manifests, tmp_path, "data.shards=[nosuch/train]")
    assert done.returncode == 2
    assert "no finished set of shards in nosuch/train" in done.stderr
    assert "Traceback" not in done.stderr
