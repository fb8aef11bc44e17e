"""A ctm against an stm: each word belongs to the segment that its middle is in."""

import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import TypeAlias

import numpy as np

from asrkit.decoding.scoring.reading.readers import named
from asrkit.decoding.scoring.reading.timed import TimedPart
from asrkit.decoding.scoring.sclite.marked import Marked, MarkedSet
from asrkit.decoding.scoring.sclite.prepare import Preparation
from asrkit.decoding.scoring.sclite.words import NULL, Text
from asrkit.text.stm import Segment, Stm
from asrkit.utils.errors import InputError

logger = logging.getLogger(__name__)

_DECIMALS = 3
Place: TypeAlias = tuple[str, str]
"""File and channel."""


@dataclass(frozen=True)
class _Item:
    """Words that go together into one segment."""

    start: float
    middle: float
    text: Text


def pair_segments(
    stm: Stm, ctm: Iterable[TimedPart], ref: Preparation, hyp: Preparation
) -> MarkedSet:
    """Give every segment of a reference the words that were found in its time.

    Files and channels are sorted, segments and words by when they begin. A word before
    the first segment, between two or behind the last goes to the next one, or the last.
    Words in ignored segments are dropped. Segments are named SPEAKER-NUMBER.

    Raises:
        InputError: The ctm has a file or channel that the stm lacks; a text is
            malformed.
    """
    segments: dict[Place, list[Segment]] = defaultdict(list)
    for one in stm.segments:
        segments[ref.name(one.file), ref.name(one.channel)].append(one)
    items: dict[Place, list[_Item]] = defaultdict(list)
    for part in ctm:
        items[hyp.name(part.file), hyp.name(part.channel)] += _items(part, hyp)
    _check(segments, items)
    counts: dict[str, int] = defaultdict(int)
    utterances, ignored = [], []
    for place in sorted(segments):
        here = sorted(segments[place], key=lambda one: one.start)
        shares = _share(here, sorted(items[place], key=lambda item: item.start))
        for one, found in zip(here, shares, strict=True):
            if one.ignored:
                ignored.append(found)
            else:
                utterances.append(_utterance(one, found, ref, counts))
    notes = []
    if ignored:
        words = sum(map(len, ignored))
        notes.append(f"ignored segments: {len(ignored)}, words in them: {words}")
    return MarkedSet(utterances, stm.titles, stm.categories, notes)


def _utterance(
    segment: Segment, found: list[_Item], ref: Preparation, counts: dict[str, int]
) -> Marked:
    speaker = ref.name(segment.speaker)
    counts[speaker] += 1
    return Marked(
        id=f"{speaker}-{counts[speaker] - 1:03d}",
        ref=ref.text(segment.text, segment.where),
        hyp=[token for item in found for token in item.text],
        speaker=speaker,
        duration=max(0.0, segment.end - segment.start),
        labels=segment.labels,
    )


def _items(part: TimedPart, hyp: Preparation) -> Iterator[_Item]:
    """Return a part's words, split up where rules make several of one."""
    words = [
        [hyp.word(word.text, part.where) for word in reading]
        for reading in part.readings
    ]
    if len(words) > 1:
        readings = [[token for text in reading for token in text] for reading in words]
        yield _Item(part.start, part.middle, [[one or [NULL] for one in readings]])
        return
    [[text]], [[word]] = words, part.readings
    widths = [_width(token) for token in text]
    if sum(widths) == 1:
        yield _Item(word.start, word.middle, text)
        return
    # Words that share a time have equal parts of it, which csrfilt.sh rounds.
    lasts = word.duration / max(1, sum(widths))
    for token, until in zip(text, accumulate(widths), strict=True):
        start = round(word.start + lasts * (until - 1), _DECIMALS)
        yield _Item(start, start + round(lasts, _DECIMALS) / 2, [token])


def _width(token: "str | list[Text]") -> int:
    """Return the words of the longest alternative."""
    if isinstance(token, str):
        return 1
    return max(sum(map(_width, reading)) for reading in token)


def _share(segments: list[Segment], items: list[_Item]) -> Iterator[list[_Item]]:
    """Return the items of each segment."""
    place = 0
    for number, segment in enumerate(segments):
        first = place
        # sclite keeps an stm's times in single precision.
        end = float(np.float32(segment.end))
        if number == len(segments) - 1:
            place = len(items)
        while place < len(items) and items[place].middle < end:
            place += 1
        yield items[first:place]


def _check(
    segments: dict[Place, list[Segment]], items: dict[Place, list[_Item]]
) -> None:
    extra = [" ".join(place) for place in items if place not in segments]
    if extra:
        raise InputError(
            f"the reference has no segment of {named(extra, items, 'channels')}; are "
            "files and channels named alike on both sides, such as A and not 1?"
        )
    silent = [" ".join(place) for place in segments if place not in items]
    if silent:
        logger.warning(
            "the hypothesis has no word of %s; all words there count as deleted",
            named(silent, segments, "channels"),
        )
