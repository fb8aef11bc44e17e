"""Words of utterances as a ctm, for what is scored by an stm."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Place:
    """Where an utterance is."""

    file: str
    channel: str
    start: float
    """Seconds."""
    duration: float


def spread(utterances: Iterable[tuple[Place, Sequence[str]]]) -> Iterator[str]:
    """Write ctm lines, in the order that sclite wants.

    The words of an utterance have equal shares of its time: with times of a search some
    would fall into the next segment of the stm, which their middle decides.
    """
    for place, words in sorted(utterances):
        lasts = place.duration / max(1, len(words))
        for number, word in enumerate(words):
            start = place.start + number * lasts
            yield f"{place.file} {place.channel} {start:.3f} {lasts:.3f} {word}"
