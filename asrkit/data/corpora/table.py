"""A user's own recordings, listed in a table.

CSV with a header, or JSONL (an object a line); columns `audio,text`, and where wanted
`speaker`, `start` and `duration` (seconds), `id`. Other columns are not looked at.
"""

import csv
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lhotse import CutSet

from asrkit.data.corpora.scan import Utterance, scan
from asrkit.data.left_out import LeftOut
from asrkit.utils.errors import InputError

REQUIRED = ("audio", "text")
OPTIONAL = ("speaker", "start", "duration", "id")


class _BadRowError(ValueError):
    """A row that cannot become a cut; its text is the reason."""


def prepare_table(
    path: Path, *, jobs: int | None = None
) -> tuple[CutSet, list[LeftOut]]:
    """Make the cuts of a table.

    Recordings are taken relative to the table's folder. A row without `id` is called
    by the recording's stem and its number among the rows: call7-12.

    Args:
        path: The table; its name ends with .csv or .jsonl.
        jobs: Threads that read recordings; None for one a CPU.

    Returns:
        The cuts, and what was left out: rows that are wrong (listed with the table's
        path and line) and recordings that `scan` refuses.

    Raises:
        InputError: The table cannot be read or lacks a column.
    """
    utterances: list[Utterance] = []
    left_out: list[LeftOut] = []
    for number, (line, row) in enumerate(_read_rows(path), start=1):
        try:
            utterances.append(_utterance(path, number, row))
        except _BadRowError as error:
            id = f"{path.stem}-{number}"
            left_out.append(LeftOut(id, f"{path}:{line}", str(error)))
    cuts, refused = scan(utterances, name=path.name, jobs=jobs)
    return cuts, sorted(left_out + refused, key=lambda row: (row.id, row.path))


_Row = Mapping[str, Any] | _BadRowError


def _read_rows(path: Path) -> Iterator[tuple[int, _Row]]:
    """Read the line number and the columns of each row, or what is wrong with it."""
    readers = {".csv": _read_csv, ".jsonl": _read_jsonl}
    if path.suffix not in readers:
        raise InputError(f"{path}: a table's name ends with .csv or .jsonl")
    try:
        yield from readers[path.suffix](path)
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path} is not UTF-8 ({error.reason} at byte {error.start}); "
            "convert it, e.g. with iconv"
        ) from error
    except OSError as error:
        raise InputError(f"cannot read the table {path}: {error.strerror}") from error


def _read_csv(path: Path) -> Iterator[tuple[int, _Row]]:
    # utf-8-sig: spreadsheets put a byte order mark before the first column's name.
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        header = [name.strip() for name in reader.fieldnames or []]
        if lacking := [name for name in REQUIRED if name not in header]:
            raise InputError(
                f"{path}, line 1: the header lacks {' and '.join(lacking)}; it is "
                f"{','.join(header) or 'empty'}, expected: audio,text and any of "
                f"{','.join(OPTIONAL)}"
            )
        reader.fieldnames = header
        for row in reader:
            yield reader.line_num, row


def _read_jsonl(path: Path) -> Iterator[tuple[int, _Row]]:
    with path.open(encoding="utf-8-sig") as file:
        for line, text in enumerate(file, start=1):
            if text.strip():
                yield line, _parse(text)


def _parse(text: str) -> _Row:
    try:
        row = json.loads(text)
    except json.JSONDecodeError as error:
        return _BadRowError(f"not JSON: {error}")
    return row if isinstance(row, dict) else _BadRowError("not a JSON object")


def _utterance(table: Path, number: int, row: _Row) -> Utterance:
    if isinstance(row, _BadRowError):
        raise row
    if None in row:
        raise _BadRowError(
            "more columns than the header; put text with commas in quotes"
        )
    lacking = [name for name in REQUIRED if not isinstance(row.get(name), str)]
    if lacking or not row["audio"].strip():
        raise _BadRowError(f"lacks {' and '.join(lacking) or 'audio'}")
    audio = (table.resolve().parent / row["audio"].strip()).absolute()
    start, duration = _seconds(row, "start"), _seconds(row, "duration")
    if duration == 0:
        raise _BadRowError("duration is 0")
    speaker = row.get("speaker")
    return Utterance(
        id=str(row.get("id") or f"{audio.stem}-{number}"),
        path=audio,
        text=row["text"].strip(),
        speaker=None if speaker in (None, "") else str(speaker),
        start=start or 0.0,
        duration=duration,
    )


def _seconds(row: Mapping[str, Any], name: str) -> float | None:
    value = row.get(name)
    if value is None or value == "":
        return None
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        seconds = math.nan
    if not (math.isfinite(seconds) and seconds >= 0):
        raise _BadRowError(f"{name} is {value!r}, not a number of seconds")
    return seconds
