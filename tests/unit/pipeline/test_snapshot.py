"""What may change between two starts of a stage, and what may not."""

import logging
from dataclasses import replace

import pytest

from asrkit.losses.band import BandConfig
from asrkit.losses.fused import FusedLossConfig
from asrkit.pipeline.for_stage import for_stage
from asrkit.pipeline.saved_config import read_config
from asrkit.pipeline.snapshot import check_snapshot, write_snapshot
from asrkit.utils.errors import InputError
from asrkit.utils.plain import to_plain
from tests.unit.pipeline.compose import make

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


def older(plain, **own):
    """Return a stage's view as versions wrote it whose stages repeated settings."""
    [(name, stage)] = plain["pipeline"]["stages"].items()
    unset = dict.fromkeys(
        ["loss", "optim", "schedule", "encoder", "augment", "dropout", "max_duration",
         "max_seconds", "accumulate", "clip_norm", "num_updates"]
    )  # fmt: skip
    stage = {k: v for k, v in stage.items() if k != "set"} | unset
    stages = {name: {**stage, "num_epochs": 30.0, **own}}
    return {**plain, "lm": None, "pipeline": {**plain["pipeline"], "stages": stages}}


@pytest.mark.parametrize("name", ["ctc", "viterbi", "align", "mbr"])
def test_what_an_older_version_wrote_is_the_same(tmp_path, name):
    config = make("pipeline=frame_wise")
    view = for_stage(config, name)
    old = to_plain(view)
    if view.pipeline.stages[name].trains:
        old = older(old, loss=to_plain(view.loss), num_epochs=1.5, max_duration=30)
    condition = old["pipeline"]["stages"][name]["only_if"]
    condition["wer"] = condition.pop("error_rate")
    del old["decode"]["unit"]
    assert read_config(old) == replace(view, lm=read_config(old).lm)
    now = config.pipeline.stages[name].matters(to_plain(view))
    before = {key: old[key] for key in now}
    write_snapshot(before, tmp_path / name / "config.yaml")
    check_snapshot(now, tmp_path / name / "config.yaml", done=True)


def test_the_dropout_of_an_older_stage_is_the_networks():
    old = older(to_plain(for_stage(make(), "train")), dropout=0.375)
    view = read_config(old)
    assert (view.encoder.dropout, view.predictor.dropout) == (0.375, 0.375)
    assert old["encoder"]["dropout"] != 0.375  # what is read stays as it is


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


def test_a_key_that_came_later_had_its_default(path):
    now = {"loss": to_plain(FusedLossConfig())}
    then = {"loss": {**now["loss"]}}
    del then["loss"]["band"], then["loss"]["cr_ramp"]
    write_snapshot(then, path)
    check_snapshot(now, path, done=True)
    banded = {"loss": to_plain(FusedLossConfig(band=BandConfig(radii=[2])))}
    with pytest.raises(InputError, match=r"loss\.band\.radii=\[\], now it is \[2\]"):
        check_snapshot(banded, path, done=True)


def test_without_a_snapshot_there_is_nothing_to_compare(tmp_path):
    check_snapshot(CONFIG, tmp_path / "config.yaml", done=False)


def test_a_stage_from_before_there_was_a_timing_head(path):
    now = {"loss": to_plain(FusedLossConfig())}
    weights = dict(now["loss"]["weights"])
    del weights["timing"]
    write_snapshot({"loss": {**now["loss"], "weights": weights}}, path)
    check_snapshot(now, path, done=True)
    with pytest.raises(InputError, match=r"timing=0\.0, now it is 1\.0"):
        check_snapshot(now, path, done=False)
    weights["timing"] = 0.0
    check_snapshot({"loss": {**now["loss"], "weights": weights}}, path, done=False)
