"""Lines of decoded sets, as asrkit, icefall, sclite, Kaldi and NeMo write them."""

import ast
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asrkit.decoding.scoring.reading.formats import RECOGS_LINE, ScoringFormat
from asrkit.utils.errors import InputError
from asrkit.utils.text_file import numbered_lines

_TRN_LINE = re.compile(r"(?P<words>.*)\((?P<id>[^()]+)\)\s*")


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


def line_rows(
    path: Path, text: str, format: ScoringFormat
) -> Iterator[tuple[str, ScoredLine]]:
    """Return where each line is and what it says, comments left out.

    Raises:
        InputError: A line is malformed.
    """
    for number, line in numbered_lines(text):
        where = f"{path}:{number}"
        row = _PARSERS[format](line, where)
        if row is not None:
            yield where, row


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


def _recogs_row(line: str, where: str) -> ScoredLine | None:
    match = RECOGS_LINE.fullmatch(line)
    if match is None:
        raise InputError(
            f"{where}: expected `ID:<tab>ref=['A', 'B']` "
            f"or `ID:<tab>hyp=[...]`, found {line[:60]!r}"
        )
    if match["side"].startswith("timestamp"):
        return None
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


def trn_parts(line: str, where: str) -> tuple[str, str] | None:
    """Return id and transcript of a line of a trn file; None for a comment.

    Raises:
        InputError: The line is malformed.
    """
    if line.startswith(";;"):
        return None
    match = _TRN_LINE.fullmatch(line)
    if match is None:
        raise InputError(f"{where}: expected `WORD WORD (id)`, found {line[:60]!r}")
    return match["id"], match["words"]


def _trn_row(line: str, where: str) -> ScoredLine | None:
    parts = trn_parts(line, where)
    return None if parts is None else ScoredLine(parts[0], text=parts[1].split())


def _text_row(line: str, where: str) -> ScoredLine:
    id_, *words = line.split()
    return ScoredLine(id_, text=words)


def _jsonl_row(line: str, where: str) -> ScoredLine:
    return json_row(load_json(line, where), where)


def load_json(text: str, where: str) -> Any:
    """Return what JSON says.

    Raises:
        InputError: It is not JSON, or holds what no file can be written with.
    """
    try:
        value = json.loads(text)
        json.dumps(value, ensure_ascii=False).encode()  # "\ud800" is no character
    except ValueError as error:
        raise InputError(f"{where}: {text[:60]!r} is not JSON ({error})") from error
    return value


def json_row(fields: Any, where: str) -> ScoredLine:
    """Return what an object of JSON says of an utterance.

    Raises:
        InputError: It is no object, or lacks its id or texts.
    """
    shown = repr(str(fields)[:60])
    if not isinstance(fields, dict):
        raise InputError(f"{where}: expected a JSON object, found {shown}")
    id_ = fields.get("id", fields.get("audio_filepath"))
    if id_ is None:
        raise InputError(f'{where}: expected "id" or "audio_filepath" in {shown}')
    ref, hyp, pred_text, text = (
        _json_words(fields, name, where) for name in ("ref", "hyp", "pred_text", "text")
    )
    if hyp is None:
        hyp = pred_text
    if ref is hyp is text is None:
        raise InputError(f'{where}: expected "ref", "hyp" or "text" in {shown}')
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
    ScoringFormat.JSONL: _jsonl_row,
    ScoringFormat.TEXT: _text_row,
}
