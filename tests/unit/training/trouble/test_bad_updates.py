"""Losses and gradients that are not finite."""

import csv

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from asrkit.training.checkpoints.checkpoint import load_checkpoint
from asrkit.utils.errors import InputError
from tests.unit.training.toy import (
    PER_EPOCH,
    ToyTask,
    make_trainer,
    spoil,
    toy_batches,
    weights,
)


def table(path):
    with path.open() as file:
        return list(csv.DictReader(file, delimiter="\t"))


def without(numbers):
    """Return toy batches without some, at the positions that they have with them."""

    def batches(position):
        for batch, at in toy_batches(position):
            if at.batches - 1 not in numbers:
                yield batch, at

    return batches


def plain_task():
    task = ToyTask()
    task.layers[1].p = 0.0
    return task


def test_a_bad_update_is_as_if_its_batch_were_not_there(tmp_path, caplog):
    bad = {3, 7, 8}
    spoiled = make_trainer(
        tmp_path / "a", task=plain_task(), batches=spoil(bad), bad_updates_in_a_row=3
    )  # there are three, but not in a row
    clean = make_trainer(tmp_path / "b", task=plain_task(), batches=without(bad))
    # The rate follows the epochs that are done, which are one batch behind there.
    spoiled.factor = clean.factor = lambda progress: 1.0
    spoiled.run()
    clean.run()
    assert torch.equal(weights(spoiled), weights(clean))
    assert spoiled.update == clean.update + 3
    rows = table(tmp_path / "a" / "bad_updates.tsv")
    assert [(row["update"], row["utterances"]) for row in rows] == [
        ("3", "utt-3"), ("7", "utt-7"), ("8", "utt-8"),
    ]  # fmt: skip
    assert {row["loss"] for row in rows} == {"nan"}
    assert caplog.text.count("left out") == 3
    assert load_checkpoint(spoiled.checkpoints.last)["bad_updates"]["total"] == 3
    events = EventAccumulator(str(tmp_path / "a" / "tensorboard"))
    events.Reload()
    # The last point is of update 1.
    assert "trouble/updates_left_out" not in events.Tags()["scalars"]


def test_counts_are_shown_where_there_are_some(tmp_path, caplog):
    caplog.set_level("INFO")
    trainer = make_trainer(tmp_path, num_epochs=2, batches=spoil({8}), log_every=1)
    trainer.run()
    lines = [r.message for r in caplog.records if r.message.startswith("epoch")]
    assert ["updates_left_out 1" in line for line in lines] == [False, True]
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    counts = [(p.step, p.value) for p in events.Scalars("trouble/updates_left_out")]
    assert counts == [(update, 1.0) for update in (9, 10, 11, 12)]
    assert "trouble/roll_backs" not in events.Tags()["scalars"]


def test_a_loss_alone_is_enough(tmp_path):
    class Constant(ToyTask):
        """Infinite, with a finite gradient."""

        def forward(self, batch):
            output = super().forward(batch)
            if batch.ids == ["utt-2"]:
                output.loss = output.loss + float("inf")
            return output

    trainer = make_trainer(tmp_path, num_epochs=1, task=Constant())
    trainer.run()
    (row,) = table(tmp_path / "bad_updates.tsv")
    assert (row["utterances"], row["loss"]) == ("utt-2", "inf")
    assert float(row["gradient_norm"]) > 0


def test_too_many_in_a_row_go_back_with_a_lower_rate(tmp_path, caplog):
    caplog.set_level("INFO")
    opened = []

    def bad_once(position):
        opened.append(position)
        bad = range(14, 18) if len(opened) == 1 else ()
        return spoil(bad)(position)

    trainer = make_trainer(
        tmp_path / "a", batches=bad_once, bad_updates_in_a_row=4,
        roll_back_lr_factor=0.1,
    )  # fmt: skip
    trainer.factor = lambda progress: 1.0
    torch.manual_seed(0)
    trainer.run()
    assert opened == [None, {"batches": 2 * PER_EPOCH}]  # the last epoch's checkpoint
    assert trainer.update == 3 * PER_EPOCH
    assert trainer.bad.roll_backs == 1
    assert "going back to" in caplog.text
    assert "learning rate times 0.1" in caplog.text
    other = make_trainer(tmp_path / "b")
    other.factor = lambda progress: 1.0 if progress.update < 2 * PER_EPOCH else 0.1
    torch.manual_seed(0)
    other.run()
    torch.testing.assert_close(weights(trainer), weights(other))


def test_a_run_without_a_checkpoint_goes_back_to_its_start(tmp_path):
    trainer = make_trainer(
        tmp_path, num_epochs=1, batches=spoil(range(2, 5)), bad_updates_in_a_row=3
    )
    with pytest.raises(InputError, match="after 3 returns to a checkpoint"):
        trainer.run()
    assert trainer.epochs == 5 / PER_EPOCH
    assert [p.name for p in (tmp_path / "checkpoints").iterdir()] == ["start.pt"]


def test_a_checkpoint_that_brings_nothing_good_is_passed_over(tmp_path, caplog):
    caplog.set_level("INFO")
    trainer = make_trainer(
        tmp_path, batches=spoil(range(12, 99)), bad_updates_in_a_row=2
    )
    with pytest.raises(InputError) as raised:
        trainer.run()
    lines = [r.message for r in caplog.records if "going back" in r.message]
    # The second epoch's, then the first's; from there the updates up to it are good.
    updates = [line.split("update ")[1].split(",")[0] for line in lines]
    assert updates[:2] == ["12", "6"]
    report = str(raised.value)
    for part in ("2 updates in a row", "after 3 returns", "0.125 times", "loss nan"):
        assert part in report
    assert "bad_updates.tsv" in report


def test_weights_that_are_not_finite_are_not_saved(tmp_path):
    trainer = make_trainer(tmp_path)
    step = trainer.step
    calls = []

    def spoiling(group):
        step(group)
        calls.append(trainer.update)
        if calls.count(9) == 1 and trainer.update == 9:
            with torch.no_grad():
                trainer.parameters[0].fill_(float("nan"))

    trainer.step = spoiling
    trainer.config.save_every_updates = 9
    trainer.run()
    assert trainer.bad.roll_backs == 1
    assert torch.isfinite(weights(trainer)).all()
    assert calls.count(7) == 2  # went back to the end of the first epoch


def test_a_run_killed_among_bad_updates_counts_on(tmp_path):
    bad = spoil(range(4, 12))
    trainer = make_trainer(tmp_path, num_epochs=1, batches=bad, bad_updates_in_a_row=5)
    trainer.run()
    assert trainer.bad.in_a_row == 2
    resumed = make_trainer(tmp_path, num_epochs=2, batches=bad, bad_updates_in_a_row=5)
    resumed.resume()
    assert (resumed.bad.in_a_row, resumed.bad.total) == (2, 2)


def test_a_dump_holds_batch_weights_and_activations(tmp_path):
    trainer = make_trainer(
        tmp_path, num_epochs=1, batches=spoil({2, 4}), dump_bad_updates=1
    )
    before = []
    trainer.announce = lambda progress: before.append(weights(trainer))
    trainer.run()
    (folder,) = (tmp_path / "bad_updates").iterdir()
    assert folder.name == "update-2"
    batch = torch.load(folder / "rank-0-batch-0.pt", weights_only=True)
    assert batch["ids"] == ["utt-2"]
    assert batch["y"].isnan().all()
    dumped = torch.load(folder / "weights.pt", weights_only=True)
    assert torch.equal(torch.cat([t.flatten() for t in dumped.values()]), before[2])
    rows = table(folder / "rank-0-batch-0-activations.tsv")
    assert [row["name"] for row in rows][:2] == ["layers.0", "layers.1"]
    by_name = {row["name"]: row for row in rows}
    assert by_name["layers.0"]["shape"] == f"{len(batch['y'])}x8"
    assert by_name["layers.0"]["not_finite"] == "0"
    assert by_name["loss"]["not_finite"] == "1"
    gradients = {row["name"]: row for row in table(folder / "gradients.tsv")}
    assert gradients["layers.0.weight"]["not_finite"] == "24"


def test_a_dump_changes_nothing(tmp_path):
    runs = []
    for dumps in (0, 1):
        torch.manual_seed(3)
        trainer = make_trainer(
            tmp_path / str(dumps), batches=spoil({2}), dump_bad_updates=dumps
        )
        torch.manual_seed(3)
        trainer.run()
        runs.append(weights(trainer))
    assert torch.equal(*runs)
