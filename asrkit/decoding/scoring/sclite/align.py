"""The cheapest alignment of two networks of words, by sclite's costs.

A substitution costs 4, an insertion or deletion 3: the alignment that sclite counts
may have more errors than the least there are. Of alignments that cost the same it takes
substitutions before insertions before deletions, seen from the end; so do we.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from operator import itemgetter
from typing import Any, TypeAlias

import numpy as np

from asrkit.decoding.scoring.sclite.network import Network
from asrkit.decoding.scoring.sclite.words import Word, same

Step: TypeAlias = tuple[Word | None, Word | None]
"""A reference word and the hypothesis' word for it; None where one side has none."""

_SUBSTITUTION, _GAP, _OPTIONAL, _NULL, _NULL_FOR_NULL = 4.0, 3.0, 2.0, 0.001, 1.0
_NEVER = 1e9
# sclite adds in this precision: with null words, rounding decides what costs the same.
_FLOAT = np.float32


@dataclass(frozen=True)
class _Prices:
    """What each step costs."""

    swaps: np.ndarray
    """(len(ref) - 1, len(hyp) - 1): a hypothesis word for a reference word."""
    drops: np.ndarray
    """(len(ref),): a reference word for nothing; arc 0 is free."""
    adds: np.ndarray
    """(len(hyp),): a hypothesis word for nothing."""


def align(ref: Network, hyp: Network) -> list[Step]:
    """Return the words of the best way through each network, side by side.

    Null words are left out. Takes time and memory of len(ref) * len(hyp).
    """
    prices = _Prices(
        _swap_prices(ref.words, hyp.words),
        np.array([0.0, *map(_gap_price, ref.words)], dtype=_FLOAT),
        np.array([0.0, *map(_gap_price, hyp.words)], dtype=_FLOAT),
    )
    steps = _trace(ref, hyp, prices, _fill(ref, hyp, prices))
    return [step for step in steps if any(word and not word.null for word in step)]


def _gap_price(word: Word) -> float:
    if word.null:
        return _NULL
    return _OPTIONAL if word.optional else _GAP


def _swap_prices(ref: list[Word], hyp: list[Word]) -> np.ndarray:
    number = {key: place for place, key in enumerate({one.key for one in ref + hyp})}
    ref_keys = np.array([number[one.key] for one in ref], dtype=np.int64)
    hyp_keys = np.array([number[one.key] for one in hyp], dtype=np.int64)
    right = ref_keys[:, None] == hyp_keys
    for row, one in enumerate(ref):
        if one.fragment:
            right[row] = [same(one, other) for other in hyp]
    for column, other in enumerate(hyp):
        if other.fragment:
            right[:, column] = [same(one, other) for one in ref]
    prices = np.where(right, _FLOAT(0.0), _FLOAT(_SUBSTITUTION))
    ref_null = [row for row, one in enumerate(ref) if one.null]
    hyp_null = [column for column, one in enumerate(hyp) if one.null]
    prices[np.ix_(ref_null, hyp_null)] = _NULL_FOR_NULL
    return prices


def _fill(ref: Network, hyp: Network, prices: _Prices) -> np.ndarray:
    """Return the least costs of ways that end with two arcs, (len(ref), len(hyp))."""
    costs = np.full((len(ref), len(hyp)), _NEVER, dtype=_FLOAT)
    costs[0, 0] = 0
    before = hyp.predecessors()
    go_on = _go_on(ref, hyp, prices.adds)
    for arc, row in enumerate(costs):
        if arc > 0:
            earlier = reduce(np.minimum, (costs[other] for other in ref.before[arc]))
            np.add(earlier, prices.drops[arc], out=row)
            swapped = reduce(np.minimum, (earlier[arcs] for arcs in before))
            np.minimum(row[1:], swapped + prices.swaps[arc - 1], out=row[1:])
        go_on(row)
    return costs


def _go_on(
    ref: Network, hyp: Network, adds: np.ndarray
) -> Callable[[np.ndarray], None]:
    """Return what lets a row of costs go on by insertions."""
    added = np.cumsum(adds)

    def in_runs(row: np.ndarray) -> None:
        for first, end in hyp.runs:
            # row[b] = min(row[b], row[b - 1] + adds[b]) for all b of the run at once.
            entry = min(row[other] for other in hyp.before[first]) - added[first - 1]
            part = row[first:end] - added[first:end]
            part[0] = min(part[0], entry)
            np.minimum.accumulate(part, out=part)
            np.add(part, added[first:end], out=row[first:end])

    def one_by_one(row: np.ndarray) -> None:
        for arc in range(1, len(hyp)):
            entry = min(row[other] for other in hyp.before[arc])
            row[arc] = min(row[arc], entry + adds[arc])

    # Sums of whole numbers are exact in any order.
    whole = not any(word.null for word in ref.words + hyp.words)
    return in_runs if whole else one_by_one


def _trace(
    ref: Network, hyp: Network, prices: _Prices, costs: np.ndarray
) -> list[Step]:
    """Return the cheapest way, from its beginning."""

    def best(arcs: tuple[int, ...], others: tuple[int, ...]) -> tuple[Any, int, int]:
        """Return the least cost and its arcs, the first of those that cost the same."""
        return min(
            ((costs[a, b], a, b) for a in arcs for b in others),
            key=itemgetter(0),
            default=(_FLOAT(_NEVER), 0, 0),
        )

    steps: list[Step] = []
    _, a, b = best(ref.last, hyp.last)
    while a or b:
        added = best((a,), hyp.before[b])
        dropped = best(ref.before[a], (b,))
        swapped = best(ref.before[a], hyp.before[b])
        adding, dropping = added[0] + prices.adds[b], dropped[0] + prices.drops[a]
        swapping = swapped[0] + (prices.swaps[a - 1, b - 1] if a and b else _FLOAT(0))
        if swapping <= min(adding, dropping):
            steps.append((ref.words[a - 1], hyp.words[b - 1]))
            _, a, b = swapped
        elif dropping < adding:
            steps.append((ref.words[a - 1], None))
            _, a, b = dropped
        else:
            steps.append((None, hyp.words[b - 1]))
            _, a, b = added
    return steps[::-1]
