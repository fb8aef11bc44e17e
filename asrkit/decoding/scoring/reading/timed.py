"""NIST's time-marked files: stm (a reference's segments) and ctm (words with times)."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from asrkit.decoding.scoring.reading.text_file import numbered_lines
from asrkit.utils.errors import InputError

_LABEL_LINE = re.compile(
    r';;\s*(LABEL|CATEGORY)\s+"([^"]*)"\s+"([^"]*)"', re.IGNORECASE
)
_LABELS = re.compile(r"<([^<>\s]*)>(\s+|$)")
_STM_FIELDS = 5
_CTM_FIELDS = 5
_MOST_CTM_FIELDS = 8  # with confidence, type and speaker
_OPEN, _OTHER, _CLOSE = "<alt_begin>", "<alt>", "<alt_end>"


@dataclass(frozen=True)
class Segment:
    """A line of an stm file."""

    file: str
    channel: str
    speaker: str
    start: float
    end: float
    """Seconds, as `start`."""
    labels: tuple[str, ...]
    """Subsets that it belongs to, one of each category."""
    text: str
    where: str
    """File and line, for messages."""

    @property
    def ignored(self) -> bool:
        """Whether nothing said in its time counts."""
        return "ignore_time_segment_in_scoring" in self.text.lower()


@dataclass(frozen=True)
class Stm:
    """An stm file."""

    segments: list[Segment] = field(default_factory=list)
    titles: dict[str, str] = field(default_factory=dict)
    """Of subsets, by their labels in lower case; in the file's order."""
    categories: list[str] = field(default_factory=list)
    """Titles of the labels' first, second, ... place."""


@dataclass(frozen=True)
class TimedWord:
    """A word of a ctm file."""

    start: float
    duration: float
    """Seconds, as `start`."""
    text: str

    @property
    def middle(self) -> float:
        """The middle of its time, seconds."""
        return self.start + self.duration / 2


@dataclass(frozen=True)
class TimedPart:
    """A word of a ctm file, or alternatives in its place."""

    file: str
    channel: str
    readings: list[list[TimedWord]]
    """One, of one word, unless there are alternatives."""
    where: str
    """File and line, for messages."""

    @property
    def start(self) -> float:
        """When it begins, seconds."""
        return min(word.start for words in self.readings for word in words)

    @property
    def middle(self) -> float:
        """The middle of its latest word, seconds."""
        return max(word.middle for words in self.readings for word in words)


def read_stm(path: Path, text: str) -> Stm:
    """Read an stm file.

    Args:
        path: The file, for messages.
        text: What it holds.

    Raises:
        InputError: It is malformed.
    """
    stm = Stm()
    for number, line in numbered_lines(text):
        if not line.startswith(";;"):
            stm.segments.append(_segment(line, stm.titles, f"{path}:{number}"))
        elif (match := _LABEL_LINE.match(line)) is not None:
            if match[1].upper() == "LABEL":
                stm.titles[match[2].lower()] = match[3]
            else:
                stm.categories.append(match[3])
    if not stm.segments:
        raise InputError(f"{path} holds no segment; check what should have written it")
    return stm


def read_ctm(path: Path, text: str) -> list[TimedPart]:
    """Read a ctm file.

    Args:
        path: The file, for messages.
        text: What it holds.

    Raises:
        InputError: It is malformed.
    """
    parts: list[TimedPart] = []
    opened: TimedPart | None = None
    for number, line in numbered_lines(text):
        if line.startswith(";;"):
            continue
        where = f"{path}:{number}"
        file, channel, start, duration, text = _ctm_fields(line, where)
        mark = text.lower()
        if mark in (_OPEN, _OTHER, _CLOSE) and (mark == _OPEN) != (opened is None):
            raise InputError(
                f"{where}: {text} is out of place; alternatives are <ALT_BEGIN>, "
                "words, <ALT>, words, <ALT_END>"
            )
        if mark == _OPEN:
            opened = TimedPart(file, channel, [[]], where)
        elif opened is not None and mark == _OTHER:
            opened.readings.append([])
        elif opened is not None and mark == _CLOSE:
            parts.append(_not_empty(opened))
            opened = None
        else:
            word = TimedWord(seconds(start, where), seconds(duration, where), text)
            if opened is None:
                parts.append(TimedPart(file, channel, [[word]], where))
            else:
                opened.readings[-1].append(word)
    if opened is not None:
        raise InputError(f"{opened.where}: <ALT_BEGIN> has no <ALT_END>")
    return parts


def seconds(value: str, where: str) -> float:
    """Return a time.

    Raises:
        InputError: It is none.
    """
    try:
        found = float(value)
    except ValueError:
        found = -1.0
    if not 0 <= found < float("inf"):
        raise InputError(f"{where}: {value!r} is not a time in seconds")
    return found


def _segment(line: str, titles: dict[str, str], where: str) -> Segment:
    fields = line.split(maxsplit=_STM_FIELDS)
    if len(fields) < _STM_FIELDS:
        raise InputError(
            f"{where}: expected `FILE CHANNEL SPEAKER BEGIN END [<LABELS>] WORDS`, "
            f"found {line[:60]!r}"
        )
    file, channel, speaker, start, end = fields[:_STM_FIELDS]
    text = fields[_STM_FIELDS].strip() if len(fields) > _STM_FIELDS else ""
    labels: tuple[str, ...] = ()
    match = _LABELS.match(text)
    # A word may be in angle brackets, too.
    if match is not None and ("," in match[1] or match[1].lower() in titles):
        labels = tuple(match[1].lower().split(","))
        text = text[match.end() :]
    return Segment(
        file, channel, speaker, seconds(start, where), seconds(end, where),
        labels, text, where,
    )  # fmt: skip


def _ctm_fields(line: str, where: str) -> list[str]:
    fields = line.split()
    if not _CTM_FIELDS <= len(fields) <= _MOST_CTM_FIELDS:
        raise InputError(
            f"{where}: expected `FILE CHANNEL BEGIN DURATION WORD [CONFIDENCE]`, "
            f"found {line[:60]!r}"
        )
    return fields[:_CTM_FIELDS]


def _not_empty(part: TimedPart) -> TimedPart:
    if not any(part.readings):
        raise InputError(f"{part.where}: no word up to <ALT_END>; remove these lines")
    return part
