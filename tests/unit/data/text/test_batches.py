"""Text for language models: encoded once, dealt out completely, resumable."""

import gzip
import itertools
import os

import numpy as np
import pytest
import torch
from lhotse import CutSet
from lhotse.testing.dummies import dummy_cut, dummy_supervision

from asrkit.data.corpora.manifests import manifest_path, write_manifests
from asrkit.data.text import store as text_store
from asrkit.data.text.batches import (
    plan_text,
    read_batch,
    text_batches,
    text_batches_once,
)
from asrkit.data.text.store import open_text, store_text
from asrkit.text.char import CharTokenizerConfig
from asrkit.utils.errors import InputError

CUT_GZIP = gzip.compress(b"ABC" * 99, mtime=0)[:20]
SENTENCES = ["AB" * (1 + 7 * i % 13) + "C" * (i % 2) for i in range(60)]


@pytest.fixture
def tokenizer():
    return CharTokenizerConfig().train(["A B C"])


def encode(paths, tokenizer, tmp_path, max_tokens=50, num_workers=0):
    folder = store_text(
        paths, tokenizer, tmp_path, max_tokens=max_tokens, num_workers=num_workers
    )
    return folder, open_text(folder, tokenizer)


@pytest.fixture
def store(tokenizer, tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("\n".join(SENTENCES))
    return encode([path], tokenizer, tmp_path)[1]


def sentences(store, tokenizer):
    batch = read_batch(store, np.arange(len(store.lengths)))
    return [
        tokenizer.decode(row[:length].tolist())
        for row, length in zip(batch.tokens, batch.token_lens, strict=True)
    ]


@pytest.mark.parametrize("num_workers", [0, 2])
def test_text_files_and_manifests_come_together(
    tokenizer, tmp_path, monkeypatch, num_workers
):
    monkeypatch.setattr(text_store, "_LINES", 2)  # many small parts
    (tmp_path / "a.txt").write_text("AB\n\nC D\n  \nA\n")
    with gzip.open(tmp_path / "b.txt.gz", "wt") as file:
        file.write("CAB A\n" + "A" * 7 + "\nB\r\n")
    supervision = dummy_supervision(0)
    supervision.text = "BA"
    cuts = CutSet.from_cuts([dummy_cut(0, supervisions=[supervision])])
    write_manifests({"train": cuts}, {}, tmp_path)
    paths = [
        tmp_path / "a.txt",
        tmp_path / "b.txt.gz",
        manifest_path(tmp_path, "train"),
    ]
    folder, store = encode(
        paths, tokenizer, tmp_path, max_tokens=6, num_workers=num_workers
    )
    expected = ["AB", "C D", "A", "CAB A", "B", "BA"]
    found = sentences(store, tokenizer)
    assert found == [text.replace("D", "<unk>") for text in expected]
    counts = store.counts
    assert (counts.sentences, counts.words, counts.unknown) == (6, 8, 1)
    assert (counts.empty, counts.too_long) == (2, 1)
    assert counts.tokens == store.lengths.sum() == 2 + 3 + 1 + 5 + 1 + 2
    assert (folder / "left_out.tsv").read_text().splitlines()[1:] == [
        f"{tmp_path / 'b.txt.gz'}\t2\t7 tokens, more than 6"
    ]


def test_text_is_encoded_again_only_when_something_changed(
    tokenizer, tmp_path, monkeypatch
):
    path = tmp_path / "text.txt"
    path.write_text("AB\n")
    folder, _ = encode([path], tokenizer, tmp_path)
    with monkeypatch.context() as patched:
        patched.delattr(text_store, "_write")
        assert encode([path], tokenizer, tmp_path)[0] == folder
    other = CharTokenizerConfig().train(["A B C D"])
    path.write_text("BA\n")
    os.utime(path, (0, 0))
    changed, store = encode([path], tokenizer, tmp_path)
    assert sentences(store, tokenizer) == ["BA"]
    assert len({folder, changed, encode([path], other, tmp_path)[0]}) == 3


def test_a_store_that_was_broken_off_is_written_again(tokenizer, tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("AB\n")
    folder, _ = encode([path], tokenizer, tmp_path)
    (folder / "counts.json").unlink()
    (folder / "tokens.bin").write_bytes(b"")
    assert sentences(encode([path], tokenizer, tmp_path)[1], tokenizer) == ["AB"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("gone.txt", None, "no text file .*gone.txt"),
        ("latin.txt", "SCH\xd6N".encode("latin-1"), "latin.txt is not UTF-8"),
        (
            "cut.txt.gz",
            gzip.compress(b"ABC" * 99, mtime=0)[:20],
            "cut.txt.gz cannot be read",
        ),
        ("plain.txt.gz", b"ABC", "plain.txt.gz cannot be read"),
        ("empty.txt", b"\n\n", "no sentence to learn from in .*left out 2 empty"),
        ("zero.txt", b"", "no sentence to learn from"),
    ],
)
def test_text_that_cannot_be_read_is_named(tokenizer, tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        encode([tmp_path / name], tokenizer, tmp_path)


def make_plan(store, rank=0, world_size=1, seed=1):
    return plan_text(
        store.lengths, max_tokens=60, seed=seed, rank=rank, world_size=world_size
    )


def first(store, count, position=None, **options):
    plan = make_plan(store, **options)
    return list(itertools.islice(text_batches(store, plan, position), count))


def rows(batches):
    return [batch.rows.tolist() for batch, _ in batches]


def test_an_epoch_has_every_sentence_once_and_like_lengths_together(store, tokenizer):
    per_epoch = len(make_plan(store).batches(0))
    orders = []
    for epoch in (0, 1):
        batches = first(store, 2 * per_epoch)[epoch * per_epoch :][:per_epoch]
        seen = sorted(row for batch in rows(batches) for row in batch)
        assert seen == list(range(60))
        assert {at.epoch for _, at in batches[:-1]} == {epoch}
        assert batches[-1][1].epochs == epoch + 1
        for batch, _ in batches:
            assert (batch.token_lens.max() + 1) * len(batch.rows) <= 60
            decoded = [
                tokenizer.decode(row[:length].tolist())
                for row, length in zip(batch.tokens, batch.token_lens, strict=True)
            ]
            assert decoded == [SENTENCES[row] for row in batch.rows]
            padding = torch.arange(batch.tokens.shape[1]) >= batch.token_lens[:, None]
            assert (batch.tokens[padding] == 0).all()
        used = sum(int(b.token_lens.sum()) + len(b.rows) for b, _ in batches)
        held = sum(b.tokens.numel() + len(b.rows) for b, _ in batches)
        assert used > 0.9 * held
        orders.append(rows(batches))
    assert orders[0] != orders[1]
    assert orders[0] == rows(first(store, per_epoch))
    assert orders[0] != rows(first(store, per_epoch, seed=2))


def test_processes_share_out_what_one_process_sees(store):
    alone = first(store, 30)
    shares = [first(store, 15, rank=rank, world_size=2) for rank in (0, 1)]
    merged = [batch for turn in zip(*shares, strict=True) for batch in turn]
    assert rows(merged) == rows(alone)
    assert [at for _, at in shares[0]] == [at for _, at in alone[1::2]]


@pytest.mark.parametrize("stop", [1, 9, 17, 29])
def test_going_on_from_a_position_gives_the_rest(store, stop):
    whole = first(store, 40)
    rest = first(store, 40 - stop, position=whole[stop - 1][1].state_dict())
    assert rows(rest) == rows(whole[stop:])
    assert [at for _, at in rest] == [at for _, at in whole[stop:]]
    for (batch, _), (expected, _) in zip(rest, whole[stop:], strict=True):
        assert torch.equal(batch.tokens, expected.tokens)


def test_one_pass_is_complete_over_processes(store):
    shares = [
        list(text_batches_once(store, max_tokens=60, rank=rank, world_size=3))
        for rank in range(3)
    ]
    seen = sorted(int(row) for share in shares for batch in share for row in batch.rows)
    assert seen == list(range(60))


def test_a_batch_in_two_halves_is_the_same_sentences(store):
    batch = read_batch(store, np.arange(5))
    first, rest = batch.split(2)
    assert (first.ids, rest.ids) == (batch.ids[:2], batch.ids[2:])
    for name in ("rows", "tokens", "token_lens"):
        halves = [torch.as_tensor(getattr(half, name)) for half in (first, rest)]
        assert torch.equal(torch.cat(halves), torch.as_tensor(getattr(batch, name)))


def test_a_sentence_longer_than_a_batch_is_one_of_its_own(tokenizer, tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("\n".join("A" * count for count in (3, 100, 4, 3)))
    _, store = encode([path], tokenizer, tmp_path, max_tokens=200)
    batches = text_batches_once(store, max_tokens=9)
    # With their ends: 5 and 4 tokens, and twice 5 are too many.
    assert [batch.rows.tolist() for batch in batches] == [[1], [2], [0, 3]]
