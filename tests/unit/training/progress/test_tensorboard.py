"""TensorBoard's files."""

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.summary.writer.record_writer import RecordWriter

from asrkit.training.progress.tensorboard import Evaluation, TensorBoardLog
from asrkit.utils.errors import InputError


def read(folder):
    """Return the points (update, value) of every scalar."""
    events = EventAccumulator(str(folder))
    events.Reload()
    return {
        tag: [(point.step, point.value) for point in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
    }


def test_what_is_logged_can_be_read(tmp_path):
    log = TensorBoardLog(tmp_path)
    log.train({"loss": 2.0, "learning_rate": 0.5, "seconds": 3.0}, 1)
    log.dev(Evaluation({"wer": 10.0}, {"table": "a | b"}), 2)
    log.close()
    assert read(tmp_path) == {
        "loss/train/loss": [(1, 2.0)],
        "optim/learning_rate": [(1, 0.5)],
        "speed/seconds": [(1, 3.0)],
        "loss/dev/wer": [(2, 10.0)],
    }


def test_what_counts_troubles_is_there_from_the_first_on(tmp_path):
    log = TensorBoardLog(tmp_path)
    for update, (left_out, gradient) in enumerate([(0, 0.0), (0, 2.0), (1, 0), (0, 1)]):
        log.train(
            {"updates_left_out": left_out, "roll_backs": 0, "gradient_norm": gradient},
            update,
        )
    log.close()
    found = read(tmp_path)
    assert found.pop("trouble/updates_left_out") == [(2, 1.0), (3, 0.0)]
    # What is not a trouble may be 0.
    assert [step for step, _ in found.pop("optim/gradient_norm")] == [0, 1, 2, 3]
    assert not found


def test_a_full_disk_is_said_once_and_training_goes_on(
    tmp_path, monkeypatch, caplog, capsys
):
    log = TensorBoardLog(tmp_path)

    def full(self, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(RecordWriter, "write", full)
    for update in range(3):
        log.train({"loss": 1.0}, update)
        log.dev(Evaluation({"wer": 10.0}), update)
    log.close()
    (record,) = caplog.records
    assert "No space left on device" in record.message
    assert "goes on without TensorBoard" in record.message
    assert not capsys.readouterr().err  # no traceback of a thread


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"cannot write .*file/tensorboard"):
        TensorBoardLog(tmp_path / "file" / "tensorboard")
