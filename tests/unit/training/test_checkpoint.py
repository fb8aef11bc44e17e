"""Checkpoints: valid or absent."""

import errno

import pytest
import torch

from asrkit.training.checkpoint import Checkpoints, load_checkpoint, save_checkpoint
from asrkit.utils.errors import InputError


def state(value):
    return {"average": {"w": torch.full((4,), float(value))}, "update": value}


def test_what_is_saved_is_loaded(tmp_path):
    saved = {**state(3), "tokenizer": {"bpe.model": b"\x00\x01"}, "rng": [None]}
    save_checkpoint(saved, tmp_path / "a.pt")
    loaded = load_checkpoint(tmp_path / "a.pt")
    assert loaded["tokenizer"] == saved["tokenizer"]
    assert torch.equal(loaded["average"]["w"], saved["average"]["w"])
    assert [p.name for p in tmp_path.iterdir()] == ["a.pt"]


def test_a_full_disk_leaves_the_old_checkpoint_and_says_so(tmp_path, monkeypatch):
    path = tmp_path / "last.pt"
    save_checkpoint(state(1), path)

    def full(obj, file):
        file.write(b"half of a checkpoint")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(InputError, match=r"cannot write .*last.pt: No space left"):
        save_checkpoint(state(2), path)
    monkeypatch.undo()
    assert load_checkpoint(path)["update"] == 1
    assert [p.name for p in tmp_path.iterdir()] == ["last.pt"]


def test_a_disk_that_torch_finds_full_is_reported(tmp_path, monkeypatch):
    def full(obj, file):
        raise RuntimeError("PytorchStreamWriter failed writing file data/0")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(InputError, match="disk may be full"):
        save_checkpoint(state(2), tmp_path / "last.pt")


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", None])
def test_a_damaged_file_is_named(tmp_path, content):
    path = tmp_path / "last.pt"
    save_checkpoint(state(1), path)
    path.write_bytes(path.read_bytes()[:-200] if content is None else content)
    with pytest.raises(InputError, match=r"last.pt is damaged"):
        load_checkpoint(path)


def test_code_in_a_checkpoint_is_refused(tmp_path):
    class Evil:
        def __reduce__(self):
            return (print, ("executed",))

    torch.save({"average": Evil()}, tmp_path / "evil.pt")
    with pytest.raises(InputError, match="damaged or not a checkpoint"):
        load_checkpoint(tmp_path / "evil.pt")


def test_a_damaged_last_checkpoint_falls_back_to_the_one_before(tmp_path, caplog):
    checkpoints = Checkpoints(tmp_path, keep=2)
    for epoch in (1, 2, 3):
        checkpoints.save(state(epoch), best=epoch == 1, epoch=epoch)
    assert [p.name for p in checkpoints.epochs()] == ["epoch-2.pt", "epoch-3.pt"]
    assert load_checkpoint(checkpoints.best)["update"] == 1
    checkpoints.save(state(4))
    assert checkpoints.resume()["update"] == 4
    checkpoints.last.write_bytes(b"half")
    assert checkpoints.resume()["update"] == 3
    assert "trying the one before" in caplog.text


def test_nothing_to_resume_is_none(tmp_path):
    assert Checkpoints(tmp_path, keep=2).resume() is None
