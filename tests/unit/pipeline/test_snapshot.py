"""What may change between two starts of a stage, and what may not."""

import logging

import pytest

from asrkit.pipeline.snapshot import check_snapshot, write_snapshot
from asrkit.utils.errors import InputError

CONFIG = {
    "encoder": {"class": "ConformerConfig", "dim": 144},
    "optim": {"lr": 0.001},
    "trainer": {"log_every": 20},
    "data": {"num_workers": 1, "max_duration": 45.0},
}


def changed(group, key, value):
    return {**CONFIG, group: {**CONFIG[group], key: value}}


@pytest.fixture
def path(tmp_path):
    write_snapshot(CONFIG, tmp_path / "train" / "config.yaml")
    return tmp_path / "train" / "config.yaml"


@pytest.mark.parametrize("done", [True, False])
def test_the_same_configuration_passes(path, done):
    check_snapshot(CONFIG, path, done=done)


@pytest.mark.parametrize("done", [True, False])
def test_another_model_is_refused(path, done):
    with pytest.raises(InputError, match=r"encoder\.dim=144, now it is 256"):
        check_snapshot(changed("encoder", "dim", 256), path, done=done)


def test_a_finished_stage_cannot_get_another_learning_rate(path):
    with pytest.raises(InputError, match=r"optim\.lr=0\.001, now it is 0\.1"):
        check_snapshot(changed("optim", "lr", 0.1), path, done=True)


def test_an_unfinished_stage_can_and_says_so(path, caplog):
    caplog.set_level(logging.INFO)
    check_snapshot(changed("optim", "lr", 0.1), path, done=False)
    assert "optim.lr 0.001 -> 0.1" in caplog.text


def test_logging_and_workers_may_change_after_the_end(path):
    check_snapshot(changed("trainer", "log_every", 1), path, done=True)
    check_snapshot(changed("data", "num_workers", 8), path, done=True)


@pytest.mark.parametrize("done", [True, False])
def test_saving_memory_makes_no_other_model(path, done):
    config = changed("encoder", "checkpoint_activations", True)
    check_snapshot(config, path, done=done)


@pytest.mark.parametrize("done", [True, False])
def test_a_snapshot_whose_loss_had_hat_is_that_of_a_joiner_with_it(path, done):
    rest = {"optim": {"lr": 0.001}, "pipeline": {"stages": {}}}
    old = {**rest, "joiner": {"dim": 8}, "loss": {"weights": {}, "hat": True}}
    write_snapshot(old, path)
    new = {**rest, "joiner": {"dim": 8, "hat": True}, "loss": {"weights": {}}}
    check_snapshot(new, path, done=done)
    with pytest.raises(InputError, match=r"joiner\.hat=True, now it is False"):
        check_snapshot({**new, "joiner": {"dim": 8, "hat": False}}, path, done=done)


def test_without_a_snapshot_there_is_nothing_to_compare(tmp_path):
    check_snapshot(CONFIG, tmp_path / "config.yaml", done=False)
