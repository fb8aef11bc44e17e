"""Rows of tables: CSV, TSV, columns between semicolons, and JSON lines.

A row is a line. A line whose quote does not close is wrong, rather than that the rows
behind it become part of its text.
"""

import csv
import gzip
import io
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from asrkit.data.corpora.formats.columns import REQUIRED, find_columns, refuse_columns
from asrkit.data.left_out import UnusableError
from asrkit.utils.errors import InputError

DELIMITED = (".csv", ".tsv")
_DELIMITERS = (",", ";", "\t")
_GZIP = b"\x1f\x8b"


Row = Mapping[str, Any] | UnusableError
"""Values by our names of the columns."""


@contextmanager
def open_text(path: Path) -> Iterator[TextIO]:
    """Open UTF-8 text, packed with gzip or not.

    Raises:
        InputError: It cannot be read.
    """
    try:
        with path.open("rb") as file:
            packed = file.peek(2)[:2] == _GZIP
            raw = gzip.GzipFile(fileobj=file) if packed else file
            # utf-8-sig: spreadsheets put a byte order mark before the first name.
            with io.TextIOWrapper(raw, encoding="utf-8-sig") as text:
                yield text
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path} is not UTF-8 ({error.reason} at byte {error.start}); "
            "convert it, e.g. with iconv"
        ) from error
    except (OSError, EOFError) as error:
        what = getattr(error, "strerror", None) or error
        raise InputError(f"cannot read {path}: {what}") from error


def read_rows(path: Path, chosen: Mapping[str, str]) -> Iterator[tuple[int, Row]]:
    """Read the line number and the columns of each row, or what is wrong with it.

    Args:
        path: CSV or TSV where its name ends so, otherwise JSON.
        chosen: The table's names of columns by ours, where the user gives them.

    Raises:
        InputError: The table cannot be read or lacks a column.
    """
    delimited = path.suffix.lower() in DELIMITED
    yield from (_read_delimited if delimited else _read_objects)(path, chosen)


def _read_objects(path: Path, chosen: Mapping[str, str]) -> Iterator[tuple[int, Row]]:
    found: dict[tuple[str, ...], dict[str, str]] = {}
    for line, row in read_json(path):
        if isinstance(row, UnusableError):
            yield line, row
            continue
        names = tuple(row)
        if names not in found:
            here = {ours: name for ours, name in chosen.items() if name in row}
            found[names] = find_columns(names, here, f"{path}:{line}")
        yield line, _choose(row, found[names])


def _choose(row: Mapping[str, Any], columns: Mapping[str, str]) -> Row:
    if lacking := [ours for ours in REQUIRED if ours not in columns]:
        return UnusableError(
            f"lacks {' and '.join(lacking)}; it has {', '.join(row)} "
            "(--columns says which is which)"
        )
    return {ours: row[name] for ours, name in columns.items()}


def read_json(path: Path) -> Iterator[tuple[int, dict[str, Any] | UnusableError]]:
    """Read JSON lines, or a JSON list (the number of an entry stands for the line).

    Raises:
        InputError: The file cannot be read.
    """
    with open_text(path) as file:
        for line, text in enumerate(file, start=1):
            if line == 1 and text.lstrip().startswith("["):
                yield from _read_list(path, text + file.read())
            elif text.strip():
                yield line, _parse(text)


def first_row(path: Path) -> dict[str, Any] | None:
    """Return the first JSON object of a file; None where it begins with none."""
    try:
        _, row = next(read_json(path), (0, None))
    except InputError:
        return None
    return row if isinstance(row, dict) else None


def _read_list(
    path: Path, text: str
) -> Iterator[tuple[int, dict[str, Any] | UnusableError]]:
    try:
        rows = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"{path} is not JSON: {error}") from error
    for number, row in enumerate(rows, start=1):
        yield number, _an_object(row)


def _parse(text: str) -> dict[str, Any] | UnusableError:
    try:
        return _an_object(json.loads(text))
    except json.JSONDecodeError as error:
        return UnusableError(f"not JSON: {error}")


def _an_object(row: Any) -> dict[str, Any] | UnusableError:
    return row if isinstance(row, dict) else UnusableError("not a JSON object")


def _read_delimited(path: Path, chosen: Mapping[str, str]) -> Iterator[tuple[int, Row]]:
    with open_text(path) as file:
        first = file.readline()
        delimiter = "\t" if path.suffix.lower() == ".tsv" else _delimiter(first)
        where = f"{path}, line 1"
        header = [name.strip() for name in _header(first, delimiter, where)]
        found = find_columns(header, chosen, where)
        refuse_columns(found, header, where)
        places = {ours: header.index(name) for ours, name in found.items()}
        for line, text in enumerate(file, start=2):
            if text.strip():
                yield line, _row(text, delimiter, len(header), places)


def _delimiter(header: str) -> str:
    # The first of those that separate most columns.
    return max(_DELIMITERS, key=header.count)


def _header(line: str, delimiter: str, where: str) -> list[str]:
    try:
        return _split(line, delimiter)
    except UnusableError as error:
        raise InputError(f"{where}: {error}") from error


def _row(text: str, delimiter: str, width: int, places: Mapping[str, int]) -> Row:
    try:
        cells = _split(text, delimiter)
    except UnusableError as error:
        return error
    if len(cells) > width:
        quotes = "; put text with commas in quotes" if delimiter == "," else ""
        return UnusableError(f"more columns than the header{quotes}")
    row = {ours: cells[at] for ours, at in places.items() if at < len(cells)}
    if delimiter == ";":  # where ; separates columns, a comma is often the point
        for name in ("start", "end", "duration"):
            if name in row:
                row[name] = row[name].replace(",", ".")
    return row


def _split(text: str, delimiter: str) -> list[str]:
    """Split a line; in TSV a quote is a character like any other."""
    line = text.rstrip("\r\n")
    if delimiter == "\t":
        return line.split("\t")
    reader = csv.reader([line], delimiter=delimiter, strict=True, skipinitialspace=True)
    try:
        return next(reader, [])
    except csv.Error as error:
        raise UnusableError(
            f'a quote (") opens a column and does not close it in this line ({error}); '
            'write "" for a quote inside quotes'
        ) from error
