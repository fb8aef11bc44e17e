"""The largest batch that fits: predicted, measured, and corrected."""

import logging
from dataclasses import dataclass

from asrkit.pipeline.memory.planner import Planner
from asrkit.pipeline.memory.room import Room
from asrkit.pipeline.memory.shapes import Utterances
from asrkit.utils.errors import InputError

logger = logging.getLogger(__name__)

_ROUNDS = 6
_GROWTH = 4.0  # from one measurement to the next
_FULL = 0.96  # batches that take this share of the room are not made larger
_UPDATES = 20  # that an epoch keeps, whatever fits


@dataclass(frozen=True)
class Fitting:
    """Batches that have been measured."""

    max_duration: float
    """Most seconds of audio in one."""
    bytes: float
    """What updates with them have taken at their peak."""


def largest(planner: Planner, room: Room, batches: int) -> Fitting:
    """Find the largest batches that fit.

    Args:
        planner: Measures them.
        room: What they may take.
        batches: Of all processes that make an update.

    Raises:
        InputError: Not even the longest utterance fits.
    """
    most = longest_useful(planner.utterances, batches)
    best = try_out(planner, planner.utterances.longest, room)
    if best.bytes > room.bytes:
        raise InputError(too_small(planner, room, best))
    failed: float | None = None
    for _ in range(_ROUNDS):
        if best.bytes >= _FULL * room.bytes or best.max_duration >= most:
            break
        aim = room.bytes * (1.0 + _FULL) / 2.0
        high = min(_GROWTH * best.max_duration, most)
        if failed is not None:
            high = (best.max_duration + failed) / 2.0
        seconds = rounded(planner.fitting(aim, best.max_duration, high))
        if seconds <= 1.01 * best.max_duration:
            break
        tried = try_out(planner, seconds, room)
        if tried.bytes <= room.bytes:
            best = tried
        else:
            failed = seconds
    if best.max_duration >= most:
        logger.info("an epoch is to have %d updates: no larger batches", _UPDATES)
    return best


def longest_useful(utterances: Utterances, batches: int) -> float:
    """Return the max_duration that leaves an epoch enough updates, seconds."""
    return max(utterances.longest, rounded(utterances.total / (_UPDATES * batches)))


def try_out(planner: Planner, seconds: float, room: Room) -> Fitting:
    """Measure batches, and log the result."""
    predicted = planner.predict(seconds) if planner.measured else None
    peak = planner.measure(seconds, room.bytes)
    logger.info(
        "data.max_duration=%.4g: updates take %.3f GB%s%s",
        seconds,
        peak / 1e9,
        "" if predicted is None else f" (predicted {predicted / 1e9:.3f})",
        ", too much" if peak > room.bytes else "",
    )
    return Fitting(seconds, peak)


def too_small(planner: Planner, room: Room, least: Fitting) -> str:
    """Say that the longest utterance does not fit, and what to do."""
    data = planner.utterances
    return (
        f"a batch of the longest training utterance alone ({data.longest_id}"
        f", {data.longest:.1f} s) takes {least.bytes / 1e9:.2f} GB, but "
        f"{room.describe()}. Leave such out with data.max_seconds, choose a smaller "
        "encoder, or a loss that takes less (scripts/plan_memory.py compares them)"
    )


def rounded(seconds: float) -> float:
    """Round down to what one would type."""
    return float(int(seconds)) if seconds >= 20.0 else int(10.0 * seconds) / 10.0
