"""NIST's ctm files: words with times."""

from dataclasses import dataclass
from pathlib import Path

from asrkit.text.stm import seconds
from asrkit.utils.errors import InputError
from asrkit.utils.text_file import numbered_lines

_CTM_FIELDS = 5
_MOST_CTM_FIELDS = 8  # with confidence, type and speaker
_OPEN, _OTHER, _CLOSE = "<alt_begin>", "<alt>", "<alt_end>"


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
