"""When espeak-ng speaks each word, from the events that come with its samples."""

import ctypes
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

# The marks that may stand before a phoneme, and what the names of vowels begin with
# (espeak-ng's phsource/phonemes).
_STRESS = b"',%="
_VOWELS = [bytes([letter]) for letter in b"aAeEiIoOuUV03@"]


class Kind(IntEnum):
    """Kinds of events, as espeak-ng's speak_lib.h numbers them; it has more."""

    NONE = 0
    """Ends a list of events."""
    WORD = 1
    PHONEME = 7


class RawEvent(ctypes.Structure):
    """`espeak_EVENT` of speak_lib.h."""

    _fields_ = (
        ("kind", ctypes.c_int),
        ("message", ctypes.c_uint),
        ("position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("milliseconds", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("name", ctypes.c_char * 8),
    )


@dataclass(frozen=True)
class Event:
    """A word or a phoneme begins."""

    kind: int
    position: int
    """Of the word's first letter in the text, from 1."""
    sample: int
    """Where in the speech it begins."""
    name: bytes
    """Of a phoneme; that of a pause begins with an underscore."""

    @property
    def is_pause(self) -> bool:
        """Whether nothing is spoken."""
        return self.kind == Kind.PHONEME and self.name.startswith(b"_")

    @property
    def is_vowel(self) -> bool:
        """Whether it is a vowel of English."""
        return self.kind == Kind.PHONEME and self.name.lstrip(_STRESS)[:1] in _VOWELS


def read_events(first: "ctypes._Pointer[RawEvent]") -> list[Event]:
    """Copy the words and phonemes of a list of events, which espeak-ng reuses."""
    events = []
    index = 0
    while (raw := first[index]).kind != Kind.NONE:
        if raw.kind in (Kind.WORD, Kind.PHONEME):
            events.append(Event(raw.kind, raw.position, raw.sample, raw.name))
        index += 1
    return events


def word_spans(
    text: str, events: Sequence[Event], length: int
) -> list[tuple[int, int]] | None:
    """Find the first sample of each word and the one after its last.

    A pause between words belongs to none of them; the closure of a stop, and the
    10 ms of silence before a fricative, belong to the stop or fricative.

    Args:
        text: What is spoken.
        events: In their order.
        length: Samples of the speech.

    Returns:
        The spans; None if espeak-ng speaks other words than the text is written in: it
        takes some together ("of the") and others apart ("21").
    """
    firsts = [n for n, event in enumerate(events) if event.kind == Kind.WORD]
    positions = [events[n].position for n in firsts]
    if positions != [match.start() + 1 for match in re.finditer(r"\S+", text)]:
        return None
    starts = [_start(events, first) for first in firsts]
    nexts = zip([*firsts, len(events)][1:], [*starts, length][1:], strict=True)
    return [
        (start, _end(events, following, next_start))
        for start, (following, next_start) in zip(starts, nexts, strict=True)
    ]


def _start(events: Sequence[Event], first: int) -> int:
    """Return where a word begins whose event is the one of this index.

    A liquid or nasal before a vowel is spoken as the vowel's beginning, behind the
    event of the vowel's word, even if it ends the word before: "seve|n apples". The
    vowel's own event comes when the liquid or nasal is over. A consonant's own event,
    instead, comes after the silence that begins it.
    """
    phoneme = events[first + 1]
    return phoneme.sample if phoneme.is_vowel else events[first].sample


def _end(events: Sequence[Event], following: int, next_start: int) -> int:
    """Return where a word ends: before the pauses that end it, if there are any."""
    end = next_start
    while events[following - 1].is_pause:
        following -= 1
        end = events[following].sample
    return end
