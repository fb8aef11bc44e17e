"""MS-State's transcripts of Switchboard: a file for each side of a conversation.

`swb_ms98_transcriptions/20/2001/sw2001A-ms98-a-trans.text` holds lines
`sw2001A-ms98-a-0001 0.000000 0.977625 text`, times in seconds.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from asrkit.utils.errors import InputError
from asrkit.utils.text_file import read_lines

_NAME = re.compile(r"sw(?P<number>\d{4})(?P<side>[AB])-ms98-a-trans\.text")
_LINE = re.compile(
    r"(?P<id>sw\d{4}[AB]-ms98-a-\d{4})\s+(?P<start>[\d.]+)\s+(?P<end>[\d.]+)\s+"
    r"(?P<text>.*\S)\s*"
)


@dataclass(frozen=True)
class Segment:
    """A line of a transcript."""

    id: str
    start: float
    """Seconds."""
    end: float
    text: str
    """As it is written, with its marks."""
    where: str
    """File and line."""


def side_of(path: Path) -> tuple[str, str] | None:
    """Return conversation and side that a transcript is of, None if it is none."""
    match = _NAME.fullmatch(path.name)
    return None if match is None else (match["number"], match["side"])


def read_transcript(path: Path) -> Iterator[Segment]:
    """Read a transcript.

    Raises:
        InputError: It cannot be read, is not UTF-8, or is another version of the
            transcripts.
    """
    for number, line in read_lines(path):
        where = f"{path}:{number}"
        match = _LINE.fullmatch(line)
        if match is None or not match["id"].startswith(path.name[:14]):
            raise InputError(
                f"{where}: {line[:60]!r} is not as in MS-State's transcripts, "
                f"`{path.name.removesuffix('trans.text')}0001 0.000000 0.977625 text`; "
                "asrkit reads that version alone (swb_ms98_transcriptions)"
            )
        yield Segment(
            match["id"],
            float(match["start"]),
            float(match["end"]),
            match["text"],
            where,
        )
