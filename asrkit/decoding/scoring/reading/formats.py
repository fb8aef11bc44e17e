"""How decoded sets are written down, and how a file shows it."""

import json
import re
from collections.abc import Callable
from enum import Enum
from itertools import islice
from pathlib import Path

from asrkit.utils.text_file import numbered_lines

RECOGS_LINE = re.compile(
    r"(?P<id>.+):\t(?P<side>ref|hyp|timestamp_ref|timestamp_hyp)=(?P<words>\[.*\])"
)
_JSON_IDS = {"id", "audio_filepath"}
# The times of alternatives' marks are stars.
_DECIMAL = re.compile(r"\d*\.\d+|\*")
_NUMBER = re.compile(r"\d*\.?\d+|\*")
_MIN, _MAX = 5, 8
_LOOKED_AT = 20
_SUFFIXES = {"trn", "stm", "ctm"}


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
    JSON = "json"
    """One document: Whisper's, named as its recording, or a list of transcripts."""
    SPEECHBRAIN = "speechbrain"
    """SpeechBrain's `wer.txt`: aligned words of both sides."""
    WENET = "wenet"
    """What WeNet's compute-wer.py prints: `utt: ID`, `lab: A B`, `rec: A`."""
    STM = "stm"
    """`FILE CHANNEL SPEAKER BEGIN END A B`: NIST's segments. A file is an utterance."""
    CTM = "ctm"
    """`FILE CHANNEL BEGIN DURATION A`: words with times. A file is an utterance."""


def tell_format(path: Path, text: str) -> ScoringFormat:
    """Tell a file's format by its name, or by what it begins with."""
    if path.suffix[1:] in _SUFFIXES:
        return ScoringFormat(path.suffix[1:])
    if text.lstrip()[:1] in ("[", "{") and (found := _json_kind(text)) is not None:
        return found
    lines = [line for _, line in numbered_lines(text) if not line.startswith(";;")]
    first = lines[0] if lines else ""
    if RECOGS_LINE.fullmatch(first) or path.name.startswith("recogs"):
        return ScoringFormat.RECOGS
    for format, shows in _SHOWS.items():
        if shows(first):
            return format
    return _timed_kind(lines) or ScoringFormat.TEXT


_SHOWS: dict[ScoringFormat, Callable[[str], bool]] = {
    ScoringFormat.SPEECHBRAIN: lambda line: line.startswith("%WER"),
    ScoringFormat.WENET: lambda line: line.startswith("utt: "),
}


def _json_kind(text: str) -> ScoringFormat | None:
    """Tell a document from lines of JSON."""
    try:
        document = json.loads(text)
    except ValueError:
        return ScoringFormat.JSONL if text.lstrip()[0] == "{" else None
    if isinstance(document, list):
        return ScoringFormat.JSON
    named = _JSON_IDS & document.keys()
    recording = not named and {"text", "segments"} & document.keys()
    return ScoringFormat.JSON if recording else ScoringFormat.JSONL


def _timed_kind(lines: list[str]) -> ScoringFormat | None:
    """Tell lines with two times from `ID WORDS`, where words may be numbers, too."""
    rows = [line.split() for line in islice(lines, _LOOKED_AT)]
    for time in _DECIMAL, _NUMBER:
        # An utterance has one line; a recording's name is in each of its.
        if time is _NUMBER and len({row[0] for row in rows}) == len(rows):
            break
        if all(_MIN <= len(row) <= _MAX and _are(time, row[2:4]) for row in rows):
            return ScoringFormat.CTM
        if all(len(row) >= _MIN and _are(time, row[3:5]) for row in rows):
            return ScoringFormat.STM
    return None


def _are(pattern: re.Pattern[str], values: list[str]) -> bool:
    return all(pattern.fullmatch(value) for value in values)
