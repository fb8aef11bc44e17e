"""The bootstrap: how far an error rate may be off, had other people spoken.

Units (speakers, or utterances where speakers are not known) are drawn anew with
replacement, many times, and the spread of what is computed on the draws is the spread
to expect of the original (Bisani & Ney, ICASSP 2004).
"""

import math
from collections.abc import Sequence
from enum import Enum
from statistics import NormalDist

import numpy as np

DRAWS = 10_000
"""How often a set is drawn anew, unless it is very varied."""

_SEED = 0
_MIN_SPEAKERS = 6
_MIN_DRAWS = 1000
_MAX_NUMBERS = 4_000_000


class Unit(str, Enum):
    """What is drawn."""

    UTTERANCES = "utterances"
    SPEAKERS = "speakers"


def sum_by_unit(
    counts: np.ndarray, speakers: Sequence[str | None]
) -> tuple[np.ndarray, Unit]:
    """Sum counts over each speaker, if all are known and there are more than five.

    Utterances of one speaker share their errors' causes; drawn one by one they would
    make the interval too narrow. A handful of speakers is too few to draw from.

    Args:
        counts: C counts of each utterance, (N, C).
        speakers: Their speakers, N.

    Returns:
        Counts per speaker, or per utterance as they came, and which of the two.
    """
    known = [speaker for speaker in speakers if speaker is not None]
    names, group = np.unique(known, return_inverse=True)
    if len(known) < len(speakers) or len(names) < _MIN_SPEAKERS:
        return counts, Unit.UTTERANCES
    sums = np.zeros((len(names), counts.shape[1]), counts.dtype)
    np.add.at(sums, group, counts)
    return sums, Unit.SPEAKERS


def draw_sums(counts: np.ndarray, draws: int = DRAWS) -> np.ndarray:
    """Draw as many units as there are, many times, and add up their counts.

    Units with equal counts cannot be told apart, so that how often each *kind* is
    drawn is all there is to draw: 100,000 utterances are a few hundred kinds.

    Args:
        counts: C counts of each unit, (N, C).
        draws: How often; down to a thousand where there are very many kinds.

    Returns:
        (draws, C), float64.
    """
    kinds, units_of_kind = np.unique(counts, axis=0, return_counts=True)
    draws = min(draws, max(_MIN_DRAWS, _MAX_NUMBERS // len(kinds)))
    rng = np.random.default_rng(_SEED)
    # In blocks, so that a large set does not take a gigabyte.
    block = max(1, _MAX_NUMBERS // len(kinds))
    # Bisani and Ney (2004): N draws with replacement out of N units; how often each
    # kind comes is multinomial.
    share = units_of_kind / len(counts)
    sums = [
        rng.multinomial(len(counts), share, size=min(block, draws - start))
        @ kinds.astype(np.float64)
        for start in range(0, draws, block)
    ]
    return np.concatenate(sums)


def percent_interval(
    errors: np.ndarray, words: np.ndarray, units: int
) -> tuple[float, float]:
    """Return the ends of the 95 % interval of an error rate, percent.

    Args:
        errors: Errors (or a difference of errors) in each draw, (draws,).
        words: Reference words in each draw, (draws,), not all zero.
        units: How many units were drawn from.
    """
    some = words > 0  # a draw of empty references alone has no rate
    # Errors over words of the whole draw, not a mean of rates: long utterances weigh
    # more, as in the error rate itself.
    rates = 100.0 * errors[some] / words[some]
    tail = _tail(units)
    low, high = np.percentile(rates, [100 * tail, 100 * (1 - tail)])
    return float(low), float(high)


def _tail(units: int) -> float:
    """Return the share of draws to leave out at either end.

    2.5 % for many units. With few, the plain interval is too narrow; this one is as
    wide as Student's (Hesterberg, The American Statistician 2015, "expanded percentile
    interval").
    """
    normal = NormalDist()
    if units < 2:
        return 0.025
    # A bootstrap's variance is (N - 1) / N of the unbiased one, and its tails are
    # normal where Student's are due: both are made up for by a smaller tail.
    t = _student(normal.inv_cdf(0.975), units - 1)
    return normal.cdf(-t * math.sqrt(units / (units - 1)))


def _student(z: float, freedom: int) -> float:
    """Turn a normal quantile into Student's (Abramowitz & Stegun 26.7.5)."""
    return (
        z
        + (z**3 + z) / (4 * freedom)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * freedom**3)
    )
