"""Checkpoints: valid or absent."""

import errno

import pytest
import torch

from asrkit.training.checkpoints.checkpoint import (
    Checkpoints,
    load_checkpoint,
    save_checkpoint,
)
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


def test_a_byte_that_changed_is_found(tmp_path):
    path = tmp_path / "last.pt"
    save_checkpoint({**state(1), "ids": ["a", "b"]}, path)
    whole = path.read_bytes()
    weights = load_checkpoint(path)["average"]["w"]
    found = 0
    for place in range(0, len(whole), 11):
        spoiled = bytearray(whole)
        spoiled[place] ^= 0x10
        path.write_bytes(spoiled)
        try:
            loaded = load_checkpoint(path)
        except InputError:
            found += 1
        else:  # a date in a header, or filling between records
            assert torch.equal(loaded["average"]["w"], weights)
            assert loaded["update"] == 1
            assert loaded["ids"] == ["a", "b"]
    assert found > 20


def test_a_wrong_weight_is_found(tmp_path):
    path = tmp_path / "last.pt"
    save_checkpoint({"average": {"w": torch.full((64,), 3.0)}}, path)
    content = path.read_bytes()
    three = torch.tensor(3.0).numpy().tobytes()
    assert content.count(three) >= 64
    path.write_bytes(content.replace(three, torch.tensor(5.0).numpy().tobytes(), 1))
    # torch alone does not see it.
    assert torch.load(path, weights_only=True)["average"]["w"].max() == 5.0
    with pytest.raises(InputError, match="checksum"):
        load_checkpoint(path)


def test_the_newest_that_can_be_read_is_taken(tmp_path, caplog):
    checkpoints = Checkpoints(tmp_path, keep=2)
    for epoch in (1, 2, 3):
        checkpoints.save(state(epoch), best=epoch == 1, epoch=epoch)
    assert [p.name for p in checkpoints.epochs()] == ["epoch-2.pt", "epoch-3.pt"]
    assert load_checkpoint(checkpoints.best)["update"] == 1
    checkpoints.save(state(4))
    checkpoints.save(state(5))
    assert checkpoints.resume()[1]["update"] == 5
    assert not caplog.text
    for path, expected in (
        (checkpoints.last, 4),
        (checkpoints.previous, 3),
        (checkpoints.folder / "epoch-3.pt", 2),
        (checkpoints.folder / "epoch-2.pt", 1),
    ):
        caplog.clear()
        path.write_bytes(path.read_bytes()[:-100])
        found, loaded = checkpoints.resume()
        assert loaded["update"] == expected
        assert len(caplog.records) == 1
        assert f"{path} is damaged" in caplog.text
        assert f"going on from {found.name} instead" in caplog.text
        assert not path.exists()
        assert path.with_suffix(".damaged").exists()
    checkpoints.best.write_bytes(b"")
    with pytest.raises(InputError, match=r"no checkpoint in .* can be read"):
        checkpoints.resume()


def test_a_damaged_checkpoint_does_not_take_the_place_of_the_one_before(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep=0)
    for update in (1, 2):
        checkpoints.save(state(update))
    checkpoints.last.write_bytes(b"half")
    assert checkpoints.resume()[1]["update"] == 1
    checkpoints.save(state(3))
    assert load_checkpoint(checkpoints.previous)["update"] == 1


def test_a_failed_save_leaves_both_older_ones(tmp_path, monkeypatch):
    checkpoints = Checkpoints(tmp_path, keep=0)
    for update in (1, 2):
        checkpoints.save(state(update))

    def full(obj, file):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(InputError, match="No space left"):
        checkpoints.save(state(3))
    monkeypatch.undo()
    assert load_checkpoint(checkpoints.last)["update"] == 2
    assert load_checkpoint(checkpoints.previous)["update"] == 1


def test_what_to_go_back_to(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep=0)
    assert checkpoints.earlier(None) is None
    save_checkpoint(state(0), checkpoints.start)
    assert checkpoints.resume() is None  # as good as none
    assert checkpoints.earlier(None)[1]["update"] == 0
    checkpoints.save(state(5))
    assert checkpoints.earlier(5)[0] == checkpoints.start
    checkpoints.save(state(9))
    assert not checkpoints.start.exists()
    assert [checkpoints.earlier(n)[1]["update"] for n in (None, 10, 9)] == [9, 9, 5]
    assert checkpoints.earlier(5) is None


def test_what_a_killed_process_leaves_is_deleted(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep=1)
    checkpoints.save(state(1), best=True, epoch=1)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"last.pt", "best.pt", "epoch-1.pt"}
    for name in (".new.pt.abcd1234", "new.pt", "best.link", ".best.link.x"):
        (tmp_path / name).write_bytes(b"half")
    checkpoints.clean()
    assert {path.name for path in tmp_path.iterdir()} == names


def test_nothing_to_resume_is_none(tmp_path):
    assert Checkpoints(tmp_path, keep=2).resume() is None
