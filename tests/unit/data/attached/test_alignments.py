"""Rows in shards, and the alignments that batches get from them."""

import dataclasses
import gzip

import pytest
import torch

from asrkit.data.attached.alignments import AttachAlignments
from asrkit.data.attached.nbest_lists import AttachNBest
from asrkit.data.attached.rows import read_rows, shard_path, write_rows
from asrkit.data.batches.batch import Batch
from asrkit.utils.errors import InputError

ROWS = [
    {"id": "a", "num_frames": 5, "score": -1.5, "tokens": [3, 4], "frames": [0, 3]},
    {"id": "b", "num_frames": 2, "score": -0.5, "tokens": [], "frames": []},
    {"id": "ü", "num_frames": 3, "score": None, "tokens": None, "frames": None},
]


@pytest.fixture
def folder(tmp_path):
    write_rows(shard_path(tmp_path, 0, 2), ROWS[:2])
    write_rows(shard_path(tmp_path, 1, 2), ROWS[2:])
    return tmp_path


def batch_of(ids):
    lens = torch.tensor([{"a": 5, "b": 2}[one] for one in ids])
    tokens = torch.tensor([{"a": [3, 4], "b": [0, 0]}[one] for one in ids])
    return Batch(
        ids=ids, texts=[""] * len(ids), speakers=[None] * len(ids),
        signal=torch.zeros(len(ids), 5, 1), signal_lens=lens,
        tokens=tokens, token_lens=(tokens != 0).sum(dim=1), durations=[1.0] * len(ids),
    )  # fmt: skip


def test_rows_come_back_in_order(folder):
    assert list(read_rows(folder)) == ROWS


def test_the_same_rows_give_the_same_bytes(folder):
    again = shard_path(folder / "again", 0, 2)
    write_rows(again, ROWS[:2])
    assert again.read_bytes() == shard_path(folder, 0, 2).read_bytes()


def test_a_missing_or_damaged_shard_is_named(folder, tmp_path):
    path = shard_path(folder, 1, 2)
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(InputError, match=f"{path.name} is damaged"):
        list(read_rows(folder))
    path.write_bytes(gzip.compress(b"no json\n"))
    with pytest.raises(InputError, match=f"{path.name} is damaged"):
        list(read_rows(folder))
    path.unlink()
    with pytest.raises(InputError, match="1 shards of 00002"):
        list(read_rows(folder))
    with pytest.raises(InputError, match="0 shards of no run"):
        list(read_rows(tmp_path / "nothing"))


def test_batches_get_the_label_of_every_frame(folder):
    attach = AttachAlignments(folder, lambda batch: batch.signal_lens, 5)
    assert "a" in attach
    assert "ü" not in attach  # no path
    batch = attach(batch_of(["b", "a"]))
    assert batch.alignment.tolist() == [[0, 0, 0, 0, 0], [3, 0, 0, 4, 0]]
    left, right = batch.split(1)
    assert right.alignment.tolist() == [[3, 0, 0, 4, 0]]
    assert left.to(torch.device("cpu")).alignment is not None


def test_an_utterance_of_another_text_is_named(folder):
    attach = AttachAlignments(folder, lambda batch: batch.signal_lens, 5)
    batch = batch_of(["a"])
    batch.tokens[0, 1] = 2
    with pytest.raises(
        InputError, match=r"a: the text has the labels 3 2, but 3 4 are"
    ):
        attach(batch)


def test_an_utterance_of_another_length_is_named(folder):
    attach = AttachAlignments(folder, lambda batch: batch.signal_lens + 1, 5)
    with pytest.raises(InputError, match="a has 6 encoder frames, but 5 in"):
        attach(dataclasses.replace(batch_of(["a"])))


def test_labels_of_another_tokenizer_are_named(folder, tmp_path):
    attach = AttachAlignments(folder, lambda batch: batch.signal_lens, 4)
    with pytest.raises(InputError, match="holds token 4, but this run's tokenizer"):
        attach(batch_of(["a"]))
    row = {"id": "a", "tokens": [[1], [6]], "lm_scores": [0.0, 0.0], "risks": [0, 1]}
    lists = tmp_path / "nbest"
    write_rows(shard_path(lists, 0, 1), [row])
    assert AttachNBest(lists, 7)(batch_of(["a"])).nbest is not None
    with pytest.raises(InputError, match="holds token 6, but this run's tokenizer"):
        AttachNBest(lists, 6)(batch_of(["a"]))
