"""NIST's stm files: who said what in which segment of a recording."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from asrkit.utils.errors import InputError
from asrkit.utils.text_file import numbered_lines

_LABEL_LINE = re.compile(
    r';;\s*(LABEL|CATEGORY)\s+"([^"]*)"\s+"([^"]*)"', re.IGNORECASE
)
_LABELS = re.compile(r"<([^<>\s]*)>(\s+|$)")
_STM_FIELDS = 5
CHANNELS = ("A", "B")
"""What NIST's files call channels 0 and 1."""


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
