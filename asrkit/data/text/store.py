"""Sentences of text files and manifests, kept on disk as one long row of token ids."""

import gzip
import hashlib
import itertools
import json
import logging
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

import numpy as np
import torch
from lhotse import CutSet
from torch.utils.data import DataLoader, Dataset

from asrkit.data.batches.loader import start_worker
from asrkit.data.progress import track
from asrkit.text.tokenizer import UNK_ID, Tokenizer
from asrkit.utils.errors import InputError
from asrkit.utils.files import atomic_write

logger = logging.getLogger(__name__)

MANIFEST_SUFFIX = ".jsonl.gz"
_LINES = 2000  # that a worker encodes at a time
_TOKENS, _ENDS, _COUNTS, _LEFT_OUT = (
    "tokens.bin", "ends.npy", "counts.json", "left_out.tsv"
)  # fmt: skip


@dataclass
class TextCounts:
    """What is in a store, and what is not."""

    sentences: int = 0
    tokens: int = 0
    """Without the end of the sentence."""
    words: int = 0
    unknown: int = 0
    """Sentences with <unk>."""
    empty: int = 0
    """Lines without text, left out."""
    too_long: int = 0
    """Sentences left out for their number of tokens, listed in left_out.tsv."""


@dataclass(frozen=True)
class TextStore:
    """Sentences as token ids; they stay on disk and are read as they are needed."""

    tokens: np.ndarray
    """Of all sentences, one after the other, (tokens,)."""
    ends: np.ndarray
    """Where the sentences end, after a 0, (sentences + 1,), int64."""
    counts: TextCounts

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each sentence, (sentences,), int64."""
        return np.diff(self.ends)


@dataclass(frozen=True)
class _Lines:
    """Some lines of a file."""

    path: Path
    first: int
    """Number of the first one, from 1."""
    texts: list[str]


@dataclass(frozen=True)
class _Encoded:
    """Lines as token ids."""

    lines: _Lines
    tokens: list[list[int]]


def store_text(
    paths: Sequence[Path],
    tokenizer: Tokenizer,
    parent: Path,
    *,
    max_tokens: int,
    num_workers: int,
) -> Path:
    """Encode files once; return the folder below `parent` that holds the result.

    The folder's name changes with all that the result depends on.

    Args:
        paths: Text, a sentence a line (unpacked if it ends in .gz), or manifests
            (.jsonl.gz), of which the transcripts are taken.
        tokenizer: Turns text into tokens.
        parent: Where the folder goes.
        max_tokens: Longer sentences are left out.
        num_workers: Processes that encode; 0 encodes in this one.

    Raises:
        InputError: A file is missing or is no text, or there is no sentence.
    """
    folder = parent / f"lm_tokens_{_fingerprint(paths, tokenizer, max_tokens)}"
    if not (folder / _COUNTS).is_file():
        _write(folder, _encode(paths, tokenizer, num_workers), tokenizer, max_tokens)
    counts = _read_counts(folder)
    if not counts.sentences:
        names = ", ".join(map(str, paths))
        raise InputError(f"no sentence to learn from in {names}: {_describe(counts)}")
    logger.info("text: %s; %s", _describe(counts), folder)
    return folder


def open_text(folder: Path, tokenizer: Tokenizer) -> TextStore:
    """Open what `store_text` made with this tokenizer."""
    tokens = np.memmap(folder / _TOKENS, dtype=_dtype(tokenizer), mode="r")
    return TextStore(tokens, np.load(folder / _ENDS), _read_counts(folder))


def _sentences(path: Path) -> Iterator[str]:
    """Yield the lines of a text file or the transcripts of a manifest.

    Raises:
        InputError: The file is damaged or not UTF-8.
    """
    if path.name.endswith(MANIFEST_SUFFIX):
        for cut in CutSet.from_jsonl_lazy(path):
            yield from (supervision.text or "" for supervision in cut.supervisions)
        return
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf-8") as file:
            yield from file
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path} is not UTF-8 text ({error.reason}); convert it, e.g. with iconv"
        ) from error
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path} cannot be read: {error}") from error


def _fingerprint(paths: Sequence[Path], tokenizer: Tokenizer, max_tokens: int) -> str:
    """Summarize files by name, size and time, and how they are encoded."""
    digest = hashlib.sha256(str(max_tokens).encode())
    for content in tokenizer.files().values():
        digest.update(content)
    for path in paths:
        if not path.is_file():
            raise InputError(f"no text file {path}; check lm.text and data.train")
        stat = path.stat()
        digest.update(f"{path.resolve()} {stat.st_size} {stat.st_mtime_ns}".encode())
    return digest.hexdigest()[:8]


class _Encoder(Dataset[_Encoded]):
    """Encodes lines; runs in the workers."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer

    def __getitem__(self, lines: _Lines) -> _Encoded:
        return _Encoded(lines, [self.tokenizer.encode(text) for text in lines.texts])


def _encode(
    paths: Sequence[Path], tokenizer: Tokenizer, num_workers: int
) -> Iterable[_Encoded]:
    """Encode files, in the order of their lines."""
    return DataLoader(
        _Encoder(tokenizer),
        batch_size=None,
        sampler=_lines(paths),
        num_workers=num_workers,
        worker_init_fn=start_worker if num_workers else None,
        generator=torch.Generator().manual_seed(0),  # spares the global one
    )


def _lines(paths: Sequence[Path]) -> Iterator[_Lines]:
    """Yield the lines of files, many at a time."""
    for path in paths:
        sentences = _sentences(path)
        for first in itertools.count(1, _LINES):
            texts = list(itertools.islice(sentences, _LINES))
            if not texts:
                break
            yield _Lines(path, first, texts)


def _write(
    folder: Path, encoded: Iterable[_Encoded], tokenizer: Tokenizer, max_tokens: int
) -> None:
    """Write the files of a store; the counts come last and say that it is whole."""
    counts = TextCounts()
    lengths: list[np.ndarray] = [np.zeros(1, dtype=np.int64)]
    with (
        atomic_write(folder / _TOKENS) as file,
        atomic_write(folder / _LEFT_OUT, "w") as left_out,
        track("encoding text, lines", None) as advance,
    ):
        left_out.write("file\tline\treason\n")
        for part in encoded:
            kept = list(_kept(part, max_tokens, counts, left_out))
            lengths.append(np.array([len(row) for row in kept], dtype=np.int64))
            flat = np.fromiter(itertools.chain(*kept), dtype=_dtype(tokenizer))
            file.write(flat.tobytes())
            advance(len(part.tokens))
    ends = np.concatenate(lengths).cumsum()
    counts.sentences, counts.tokens = len(ends) - 1, int(ends[-1])
    with atomic_write(folder / _ENDS) as file:
        np.save(file, ends)
    with atomic_write(folder / _COUNTS, "w") as file:
        json.dump(asdict(counts), file)


def _kept(
    part: _Encoded, max_tokens: int, counts: TextCounts, left_out: IO[str]
) -> Iterator[list[int]]:
    """Yield the sentences that are kept; count and list what is not."""
    for number, tokens in enumerate(part.tokens):
        if not tokens:
            counts.empty += 1
        elif len(tokens) > max_tokens:
            counts.too_long += 1
            reason = f"{len(tokens)} tokens, more than {max_tokens}"
            line = part.lines.first + number
            left_out.write(f"{part.lines.path}\t{line}\t{reason}\n")
        else:
            counts.words += len(part.lines.texts[number].split())
            counts.unknown += UNK_ID in tokens
            yield tokens


def _dtype(tokenizer: Tokenizer) -> np.dtype:
    """Return the smallest type that holds every id."""
    return np.min_scalar_type(tokenizer.vocab_size - 1)


def _read_counts(folder: Path) -> TextCounts:
    return TextCounts(**json.loads((folder / _COUNTS).read_text(encoding="utf-8")))


def _describe(counts: TextCounts) -> str:
    """Say what is in a store, and what was left out of it."""
    return (
        f"{counts.sentences} sentences, {counts.words} words, {counts.tokens} tokens; "
        f"{counts.unknown} sentences with <unk>; left out {counts.empty} empty lines "
        f"and {counts.too_long} sentences that are too long"
        + (f" ({_LEFT_OUT})" if counts.too_long else "")
    )
