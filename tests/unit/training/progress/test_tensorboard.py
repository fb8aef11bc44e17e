"""TensorBoard's files."""

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.summary.writer.record_writer import RecordWriter

from asrkit.training.progress.tensorboard import Evaluation, TensorBoardLog
from asrkit.utils.errors import InputError


def test_what_is_logged_can_be_read(tmp_path):
    log = TensorBoardLog(tmp_path)
    log.train({"loss": 2.0}, 1)
    log.valid(Evaluation({"wer": 10.0}, {"table": "a | b"}), 2)
    log.close()
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    assert [(e.step, e.value) for e in events.Scalars("train/loss")] == [(1, 2.0)]
    assert [(e.step, e.value) for e in events.Scalars("valid/wer")] == [(2, 10.0)]


def test_a_full_disk_is_said_once_and_training_goes_on(
    tmp_path, monkeypatch, caplog, capsys
):
    log = TensorBoardLog(tmp_path)

    def full(self, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(RecordWriter, "write", full)
    for update in range(3):
        log.train({"loss": 1.0}, update)
        log.valid(Evaluation({"wer": 10.0}), update)
    log.close()
    (record,) = caplog.records
    assert "No space left on device" in record.message
    assert "goes on without TensorBoard" in record.message
    assert not capsys.readouterr().err  # no traceback of a thread


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"cannot write .*file/tensorboard"):
        TensorBoardLog(tmp_path / "file" / "tensorboard")
