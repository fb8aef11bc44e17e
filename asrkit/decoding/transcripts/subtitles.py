"""Words as subtitles."""

import math
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from asrkit.decoding.transcripts.transcript import Transcript
from asrkit.decoding.transcripts.words import Word
from asrkit.text.characters import join_words

MAX_WIDTH = 42
"""Characters in a line."""
MAX_LINES = 2
"""Lines in a cue."""
MAX_SECONDS = 7.0
"""Longest time that a cue is shown."""
MIN_SECONDS = 1.0
"""Shortest time, where the next cue leaves room for it."""
PAUSE = 1.0
"""Seconds without a word that end a cue."""


@dataclass(frozen=True)
class Cue:
    """What is shown at a time."""

    start: float
    """Seconds."""
    end: float
    """Seconds."""
    lines: list[str]


def to_srt(transcripts: Sequence[Transcript]) -> str:
    """Return one transcript as a SubRip file."""
    (transcript,) = transcripts
    blocks = [
        f"{number}\n{_stamp(cue.start)} --> {_stamp(cue.end)}\n"
        + "".join(f"{line}\n" for line in cue.lines)
        for number, cue in enumerate(make_cues(transcript.words), start=1)
    ]
    return "\n".join(blocks)


def make_cues(words: Sequence[Word]) -> list[Cue]:
    """Put as many words into each cue as fit, and begin a new one after a pause."""
    groups: list[list[Word]] = []
    for word in _short(words):
        if groups and _fits(groups[-1], word):
            groups[-1].append(word)
        else:
            groups.append([word])
    nexts = [*(group[0].start for group in groups), math.inf][1:]
    return [_cue(*pair) for pair in zip(groups, nexts, strict=True)]


def _short(words: Sequence[Word]) -> Iterator[Word]:
    """Take words apart that are too long for a line or a cue.

    A script without spaces makes a word of a whole sentence.
    """
    for word in words:
        length, seconds = len(word.text), word.end - word.start
        least = math.ceil(max(length / MAX_WIDTH, seconds / MAX_SECONDS))
        count = min(max(least, 1), length)
        for part in range(count):
            yield replace(
                word,
                text=word.text[length * part // count : length * (part + 1) // count],
                start=word.start + seconds * part / count,
                end=word.start + seconds * (part + 1) / count,
            )


def _fits(group: list[Word], word: Word) -> bool:
    return (
        word.start - group[-1].end < PAUSE
        and word.end - group[0].start <= MAX_SECONDS
        and len(_wrap([*group, word])) <= MAX_LINES
    )


def _wrap(group: list[Word]) -> list[str]:
    text = join_words(word.text for word in group)
    return textwrap.wrap(text, MAX_WIDTH, break_on_hyphens=False)


def _cue(group: list[Word], following: float) -> Cue:
    """Make a cue that ends before the one that follows."""
    start = group[0].start
    end = max(group[-1].end, start + MIN_SECONDS)
    return Cue(start, min(end, start + MAX_SECONDS, following), _wrap(group))


def _stamp(seconds: float) -> str:
    """Return HH:MM:SS,mmm."""
    whole, milliseconds = divmod(round(seconds * 1000), 1000)
    minutes, whole = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{whole:02},{milliseconds:03}"
