"""The trainer on a toy task: exact sums, exact resume, what it does when stopped."""

import os
import signal

import pytest
import torch

from asrkit.training.checkpoints.checkpoint import load_checkpoint
from asrkit.training.progress.tensorboard import Evaluation
from tests.unit.training.toy import (
    PER_EPOCH,
    ToyBatch,
    ToyTask,
    make_trainer,
    toy_batches,
    weights,
)


def test_a_run_that_was_stopped_ends_with_the_same_weights(tmp_path):
    torch.manual_seed(5)
    whole = make_trainer(tmp_path / "whole")
    whole.run()
    torch.manual_seed(5)

    def broken(position):
        for index, item in enumerate(toy_batches(position)):
            if index == 10:  # in the middle of the second epoch
                raise OSError("the machine went away")
            yield item

    stopped = make_trainer(tmp_path / "parts", batches=broken, save_every_updates=1)
    with pytest.raises(OSError, match="went away"):
        stopped.run()
    torch.manual_seed(99)
    resumed = make_trainer(tmp_path / "parts")
    resumed.run()
    assert resumed.update == whole.update == 3 * PER_EPOCH
    assert torch.equal(weights(resumed), weights(whole))
    for own, other in zip(
        resumed.average.module.parameters(),
        whole.average.module.parameters(),
        strict=True,
    ):
        assert torch.equal(own, other)


def test_accumulation_gives_the_gradient_of_the_whole(tmp_path):
    def doubled(position):
        stream = toy_batches(position)
        for (a, _), (b, at) in zip(stream, stream, strict=False):
            yield ToyBatch(torch.cat([a.x, b.x]), torch.cat([a.y, b.y])), at

    results = []
    for batches, accumulate in ((toy_batches, 2), (doubled, 1)):
        task = ToyTask()
        task.layers[1].p = 0.0
        trainer = make_trainer(
            tmp_path / str(accumulate), task=task, batches=batches,
            accumulate=accumulate,
        )  # fmt: skip
        trainer.run()
        results.append((trainer.update, weights(trainer)))
    assert results[0][0] == results[1][0]
    torch.testing.assert_close(results[0][1], results[1][1], rtol=1e-5, atol=1e-6)


def test_sigint_saves_and_the_next_run_goes_on(tmp_path):
    def interrupting(position):
        for index, item in enumerate(toy_batches(position)):
            if index == 4:
                os.kill(os.getpid(), signal.SIGINT)
            yield item

    trainer = make_trainer(tmp_path, batches=interrupting)
    with pytest.raises(KeyboardInterrupt):
        trainer.run()
    assert trainer.update == 5
    resumed = make_trainer(tmp_path)
    resumed.resume()
    assert resumed.update == 5
    assert torch.equal(weights(resumed), weights(trainer))


def test_the_best_checkpoint_is_that_of_the_lowest_score(tmp_path):
    scores = iter([30.0, 10.0, 20.0])
    trainer = make_trainer(tmp_path)
    kept = []

    def validate(module):
        kept.append({k: v.clone() for k, v in module.state_dict().items()})
        return Evaluation({"wer": next(scores)})

    trainer.validate = validate
    trainer.run()
    best = torch.load(trainer.checkpoints.best, weights_only=True)
    assert best["best"] == 10.0
    for name, value in kept[1].items():
        assert torch.equal(best["average"][name], value)
    assert [p.name for p in trainer.checkpoints.epochs()] == [
        "epoch-1.pt", "epoch-2.pt", "epoch-3.pt",
    ]  # fmt: skip


def test_a_signal_in_validation_loses_nothing_and_validation_is_made_up_for(tmp_path):
    whole = make_trainer(tmp_path / "whole")
    whole.run()
    stopped = make_trainer(tmp_path / "parts")

    def validate(module):
        os.kill(os.getpid(), signal.SIGTERM)
        raise AssertionError("the signal did not end validation")

    stopped.validate = validate
    with pytest.raises(KeyboardInterrupt):
        stopped.run()
    assert stopped.update == PER_EPOCH
    torch.manual_seed(2)
    resumed = make_trainer(tmp_path / "parts")
    validated = []

    def validate_resumed(module):
        validated.append(resumed.update)
        return Evaluation({"wer": 50.0})

    resumed.validate = validate_resumed
    resumed.run()
    assert validated == [PER_EPOCH, 2 * PER_EPOCH, 3 * PER_EPOCH]
    assert torch.equal(weights(resumed), weights(whole))
    assert [p.name for p in resumed.checkpoints.epochs()] == [
        "epoch-1.pt", "epoch-2.pt", "epoch-3.pt",
    ]  # fmt: skip


def test_a_signal_at_the_end_of_an_epoch_leaves_nothing_out(tmp_path):
    def interrupting(position):
        for batch, at in toy_batches(position):
            if at.batches == PER_EPOCH:
                os.kill(os.getpid(), signal.SIGINT)
            yield batch, at

    with pytest.raises(KeyboardInterrupt):
        make_trainer(tmp_path, batches=interrupting, validate_every=9).run()
    resumed = make_trainer(tmp_path, validate_every=9)
    resumed.run()
    assert [p.name for p in resumed.checkpoints.epochs()] == [
        "epoch-1.pt", "epoch-2.pt", "epoch-3.pt",
    ]  # fmt: skip


def test_minutes_between_checkpoints(tmp_path, monkeypatch):
    trainer = make_trainer(tmp_path, save_every_minutes=10.0)
    now = 0.0
    clock = "asrkit.training.checkpoints.saving.time.monotonic"
    monkeypatch.setattr(clock, lambda: now)
    saved = []
    trainer.saver.save = lambda state, **kinds: saved.append(state["update"])
    trainer.saver.save_start(trainer.state())
    for minutes, due in ((9.9, False), (10.0, True)):
        now = 60.0 * minutes
        assert trainer.save_is_due is due
        trainer.look_after(epoch_ends=False)
    assert saved == [0]
    trainer.bad.in_a_row = 1  # no time for a checkpoint that training may go back to
    assert not trainer.save_is_due


def test_another_number_of_processes_goes_on_in_the_data(tmp_path, caplog):
    trainer = make_trainer(tmp_path, num_epochs=1)
    trainer.run()
    state = load_checkpoint(trainer.checkpoints.last)
    state["rng"] = state["rng"] * 2
    trainer.checkpoints.save(state)
    caplog.set_level("INFO")
    draws = []
    for _ in range(2):
        torch.manual_seed(7)
        resumed = make_trainer(tmp_path, num_epochs=2)
        assert not resumed.resume()
        draws.append(torch.rand(3))
        assert resumed.position == {"batches": PER_EPOCH}
    assert torch.equal(draws[0], draws[1])
    torch.set_rng_state(state["rng"][0]["cpu"])
    assert not torch.equal(torch.rand(3), draws[0])
    assert "processes was 2 and is 1" in caplog.text
    assert "took 2 batches and now takes 1" in caplog.text
