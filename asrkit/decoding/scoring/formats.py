"""The lines of decoded sets, as asrkit, icefall, sclite, Kaldi and NeMo write them."""

import ast
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from asrkit.utils.errors import InputError

_RECOGS_LINE = re.compile(r"(?P<id>.+):\t(?P<side>ref|hyp)=(?P<words>\[.*\])")
_TRN_LINE = re.compile(r"(?P<words>.*)\((?P<id>[^()]+)\)\s*")


class ScoringFormat(str, Enum):
    """How a decoded set is written down."""

    RECOGS = "recogs"
    """`ID:<tab>ref=['A', 'B']` and `ID:<tab>hyp=['A']`, as icefall writes."""
    TRN = "trn"
    """`A B (ID)`, as sclite reads."""
    JSONL = "jsonl"
    """An object a line: id (or audio_filepath), ref (or text), hyp (or pred_text);
    speaker and duration if known. A hypothesis on its own may be called text."""
    TEXT = "text"
    """`ID A B`, as Kaldi's `text`."""


@dataclass(frozen=True)
class ScoredLine:
    """What one line says of an utterance."""

    id: str
    ref: list[str] | None = None
    hyp: list[str] | None = None
    text: list[str] | None = None
    """Reference or hypothesis, whichever the file holds."""
    speaker: str | None = None
    duration: float | None = None


def tell_format(path: Path, line: str) -> ScoringFormat:
    """Tell a file's format by its name or its first line."""
    if path.suffix == ".trn":
        return ScoringFormat.TRN
    if line.lstrip().startswith("{"):
        return ScoringFormat.JSONL
    if _RECOGS_LINE.fullmatch(line) or path.name.startswith("recogs"):
        return ScoringFormat.RECOGS
    return ScoringFormat.TEXT


def parse_line(line: str, format: ScoringFormat, where: str) -> ScoredLine | None:
    """Return what a line says; None for a comment.

    Args:
        line: Without its end, not blank.
        format: How it is written.
        where: File and line number, for messages.

    Raises:
        InputError: The line is malformed.
    """
    return _PARSERS[format](line, where)


def parse_seconds(value: Any, where: str) -> float:
    """Return a duration as a number.

    Raises:
        InputError: It is none.
    """
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise InputError(f"{where}: duration {value!r} is not a number of seconds")
    return seconds


def _recogs_row(line: str, where: str) -> ScoredLine:
    match = _RECOGS_LINE.fullmatch(line)
    if match is None:
        raise InputError(
            f"{where}: expected `ID:<tab>ref=['A', 'B']` "
            f"or `ID:<tab>hyp=[...]`, found {line[:60]!r}"
        )
    try:
        # Scripts that split a transcript at every single space write empty words.
        listed = ast.literal_eval(match["words"])
        words = [str(word) for word in listed if word != ""]
        " ".join(words).encode()  # "\ud800" is no character
    except (ValueError, SyntaxError) as error:
        raise InputError(
            f"{where}: {match['words'][:60]!r} is not a list of words"
        ) from error
    if match["side"] == "ref":
        return ScoredLine(match["id"], ref=words)
    return ScoredLine(match["id"], hyp=words)


def _trn_row(line: str, where: str) -> ScoredLine | None:
    if line.startswith(";;"):  # sclite's comments
        return None
    match = _TRN_LINE.fullmatch(line)
    if match is None:
        raise InputError(f"{where}: expected `WORD WORD (id)`, found {line[:60]!r}")
    return ScoredLine(match["id"], text=match["words"].split())


def _text_row(line: str, where: str) -> ScoredLine:
    id_, *words = line.split()
    return ScoredLine(id_, text=words)


def _json_row(line: str, where: str) -> ScoredLine:
    try:
        fields = json.loads(line)
        json.dumps(fields, ensure_ascii=False).encode()  # "\ud800" is no character
    except ValueError as error:
        raise InputError(f"{where}: {line[:60]!r} is not JSON ({error})") from error
    if not isinstance(fields, dict):
        raise InputError(f"{where}: expected a JSON object, found {line[:60]!r}")
    id_ = fields.get("id", fields.get("audio_filepath"))
    if id_ is None:
        raise InputError(f'{where}: expected "id" or "audio_filepath" in {line[:60]!r}')
    ref, hyp, pred_text, text = (
        _json_words(fields, name, where) for name in ("ref", "hyp", "pred_text", "text")
    )
    if hyp is None:
        hyp = pred_text
    if ref is hyp is text is None:
        raise InputError(f'{where}: expected "ref", "hyp" or "text" in {line[:60]!r}')
    speaker, duration = fields.get("speaker"), fields.get("duration")
    return ScoredLine(
        str(id_),
        ref=ref,
        hyp=hyp,
        text=text,
        speaker=None if speaker is None else str(speaker),
        duration=None if duration is None else parse_seconds(duration, where),
    )


def _json_words(fields: dict[str, Any], name: str, where: str) -> list[str] | None:
    value = fields.get(name)
    if value is None:
        return None
    if isinstance(value, str):
        return value.split()
    if isinstance(value, list) and all(isinstance(word, str) for word in value):
        return [word for word in value if word]
    raise InputError(
        f"{where}: {name} is neither a text nor a list of words: {str(value)[:60]!r}"
    )


_PARSERS: dict[ScoringFormat, Callable[[str, str], ScoredLine | None]] = {
    ScoringFormat.RECOGS: _recogs_row,
    ScoringFormat.TRN: _trn_row,
    ScoringFormat.JSONL: _json_row,
    ScoringFormat.TEXT: _text_row,
}
