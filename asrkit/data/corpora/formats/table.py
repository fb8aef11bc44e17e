"""A user's own recordings, listed in a table.

CSV, TSV or columns between semicolons, with a header; or JSON, an object a line.
`asrkit.data.corpora.formats.columns` has the names of the columns: audio and text, and
where wanted speaker, start and duration or end (seconds), channel, id. Other columns
are not looked at.
"""

import logging
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from asrkit.data.corpora.formats.columns import REQUIRED, are_known
from asrkit.data.corpora.formats.format import Format, Part, Row, scanning
from asrkit.data.corpora.formats.rows import DELIMITED, first_row, read_rows
from asrkit.data.corpora.locate import Locator
from asrkit.data.corpora.scan import Utterance
from asrkit.data.left_out import LeftOut, UnusableError

logger = logging.getLogger(__name__)

Values = Mapping[str, Any]
"""A row's values by our names of the columns."""


def read_table(
    part: Part, find: Callable[[Values], Path] | None = None
) -> Iterator[Row]:
    """Read what a table lists.

    A row without `id` is called by the recording's stem, the part, and its number among
    the rows: call7-train-12. An id that is but a number gets the part's name, too, as
    other parts may count as well; ids that come again get a number: ID-2.

    Args:
        part: Its path is the table.
        find: Returns the recording of a row, and raises UnusableError where it cannot;
            None: what the row names, as `Locator` finds it.

    Raises:
        InputError: The table cannot be read or lacks a column.
    """
    locate = Locator(part.path.parent)
    rows = _read(part, find or (lambda row: locate(row["audio"].strip())))
    return _distinct(rows, part.path)


def _read(part: Part, find: Callable[[Values], Path]) -> Iterator[Row]:
    path = part.path
    for number, (line, row) in enumerate(read_rows(path, part.columns), start=1):
        try:
            if isinstance(row, UnusableError):
                raise row
            _check(row)
            yield _utterance(row, find(row), _id(row, part.name, number))
        except UnusableError as error:
            yield LeftOut(f"{path.stem}-{number}", f"{path}:{line}", str(error))


def _check(row: Values) -> None:
    lacking = [name for name in REQUIRED if not isinstance(row.get(name), str)]
    if lacking or not row["audio"].strip():
        raise UnusableError(f"lacks {' and '.join(lacking) or 'audio'}")


def _utterance(row: Values, audio: Path, id: str) -> Utterance:
    start, duration = _seconds(row, "start") or 0.0, _seconds(row, "duration")
    end = _seconds(row, "end")
    if duration is None and end is not None:
        duration = end - start
    if duration is not None and duration <= 0:
        raise UnusableError(f"duration is {duration:g}")
    speaker = row.get("speaker")
    return Utterance(
        id=id,
        path=audio,
        text=one_line(row["text"]),
        speaker=None if speaker in (None, "") else str(speaker),
        start=start,
        duration=duration,
        channel=_channel(row.get("channel")),
    )


def _id(row: Values, part: str, number: int) -> str:
    given = row.get("id")
    if given in (None, ""):
        return f"{Path(row['audio'].strip()).stem}-{part}-{number}"
    id = str(given).strip()
    return f"{part}-{id}" if id.isdecimal() else id


def one_line(text: str) -> str:
    """Return a transcript without line breaks."""
    return " ".join(line.strip() for line in text.splitlines()).strip()


def _seconds(row: Values, name: str) -> float | None:
    value = row.get(name)
    if value is None or value == "":
        return None
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        seconds = math.nan
    if not (math.isfinite(seconds) and seconds >= 0):
        raise UnusableError(f"{name} is {value!r}, not a number of seconds")
    return seconds


def _channel(value: Any) -> int | None:
    """Read a channel: a number from 0 on, or a letter from A on."""
    text = str(value).strip().upper()
    if value is None or not text:
        return None
    if text.isdecimal():
        return int(text)
    if len(text) == 1 and "A" <= text <= "Z":
        return ord(text) - ord("A")
    raise UnusableError(f"channel is {value!r}; it is 0, 1, ... or A, B, ...")


def _distinct(rows: Iterable[Row], path: Path) -> Iterator[Row]:
    """Give utterances of one id names of their own; the same one again is left out."""
    seen: dict[str, Utterance] = {}
    renamed = 0
    for row in rows:
        if isinstance(row, LeftOut):
            yield row
        elif row == seen.get(row.id):
            yield LeftOut(row.id, str(path), "listed before, with all the same values")
        else:
            id = row.id
            for number in range(2, len(seen) + 2):
                if id not in seen:
                    break
                id = f"{row.id}-{number}"
            renamed += id != row.id
            seen[id] = row
            yield replace(row, id=id)
    if renamed:
        logger.warning(
            "%s: %d ids are not the first of their kind; they became ID-2, ID-3...",
            path,
            renamed,
        )


def _recognizes(path: Path) -> bool:
    if not path.is_file():
        return False
    # One whose columns are not known is refused, with what to do, when it is read.
    if path.suffix.lower() in (*DELIMITED, ".jsonl"):
        return True
    return are_known(first_row(path) or ())


TABLE = Format(
    name="table",
    what="a table (CSV, TSV or JSON lines)",
    recognizes=_recognizes,
    prepare=scanning(read_table),
)
