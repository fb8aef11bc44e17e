"""How far the words of an alignment begin and end from where they are spoken."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Protocol


class Timed(Protocol):
    """Anything with a beginning and an end in seconds: a word, an alignment item."""

    @property
    def start(self) -> float:
        """Seconds."""

    @property
    def end(self) -> float:
        """Seconds."""


@dataclass(frozen=True)
class Errors:
    """Of one kind of boundary, over all words."""

    words: int
    mean: float
    """Mean of the absolute errors, seconds."""
    median: float
    """Of the absolute errors, seconds."""
    bias: float
    """Mean of the errors, seconds; positive where the alignment is late."""
    within: dict[float, float]
    """Share of the absolute errors that are at most so many seconds."""


def boundary_errors(
    pairs: Sequence[tuple[Timed, Timed]], limits: Sequence[float] = (0.05, 0.1, 0.2)
) -> tuple[Errors, Errors]:
    """Compare words with the same words as they are spoken.

    Args:
        pairs: Found and true times of each word; one word at least.
        limits: What to count errors up to, seconds.

    Returns:
        Errors of the words' starts, and of their ends.
    """
    starts = [found.start - true.start for found, true in pairs]
    ends = [found.end - true.end for found, true in pairs]
    return _summarize(starts, limits), _summarize(ends, limits)


def _summarize(errors: Sequence[float], limits: Sequence[float]) -> Errors:
    # To a nanosecond, lest an error of just the limit is above it for its last bit.
    sizes = [round(abs(error), 9) for error in errors]
    return Errors(
        words=len(errors),
        mean=fmean(sizes),
        median=median(sizes),
        bias=fmean(errors),
        within={limit: fmean(size <= limit for size in sizes) for limit in limits},
    )
