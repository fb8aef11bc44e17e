"""What is computed once for each utterance: rows in shards, so that a stop costs one.

A row is a JSON object with the utterance's `id`, a shard a gzipped file of such lines.
"""

import gzip
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from asrkit.utils.errors import InputError
from asrkit.utils.files import atomic_write

Row = dict[str, Any]
"""Plain values of one utterance."""


def check_labels(labels: Tensor, vocab_size: int, folder: Path) -> None:
    """Raise InputError for labels that the run's tokenizer does not have."""
    largest = int(labels.max()) if labels.numel() else 0
    if largest >= vocab_size:
        raise InputError(
            f"{folder} holds token {largest}, but this run's tokenizer has "
            f"{vocab_size}: it was made with another tokenizer; run its stage again"
        )


def shard_path(folder: Path, index: int, count: int) -> Path:
    """Return the file of shard `index` of `count`."""
    return folder / f"{index:05d}-of-{count:05d}.jsonl.gz"


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write a shard: whole or not at all, the same rows to the same bytes."""
    with (
        atomic_write(path) as file,
        gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packed,
        io.TextIOWrapper(packed, encoding="utf-8") as lines,
    ):
        for row in rows:
            lines.write(json.dumps(row, ensure_ascii=False) + "\n")


def read_rows(folder: Path) -> Iterator[Row]:
    """Read all shards of a folder.

    Raises:
        InputError: A shard is missing, damaged, or there is none.
    """
    paths = sorted(folder.glob("*-of-*.jsonl.gz"))
    counts = {path.name.split(".")[0].split("-")[2] for path in paths}
    if [len(paths)] != [int(count) for count in counts]:
        raise InputError(
            f"{folder} holds {len(paths)} shards of {', '.join(counts) or 'no run'}: "
            "has the stage that writes them finished? If the data have changed "
            "since, delete its folder and run it again"
        )
    for path in paths:
        try:
            with gzip.open(path, "rt", encoding="utf-8") as file:
                yield from map(json.loads, file)
        except (OSError, EOFError, ValueError) as error:
            raise InputError(
                f"{path} is damaged ({error}); delete it, and run its stage again"
            ) from error
