"""The cheapest alignment of two networks of words, by sclite's costs.

A substitution costs 4, an insertion or deletion 3: the alignment that sclite counts
may have more errors than the least there are. Of alignments that cost the same it takes
substitutions before insertions before deletions, seen from the end; so do we.
"""

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


def align(ref: Network, hyp: Network) -> list[Step]:
    """Return the words of the best way through each network, side by side.

    Null words are left out. Takes time and memory of len(ref) * len(hyp).
    """
    swaps = _swap_costs(ref.words, hyp.words)
    drops = np.array([0.0, *map(_gap_cost, ref.words)], dtype=_FLOAT)
    adds = np.array([0.0, *map(_gap_cost, hyp.words)], dtype=_FLOAT)
    costs = _fill(ref, hyp, swaps, drops, adds)
    steps = _trace(ref, hyp, swaps, drops, adds, costs)
    return [step for step in steps if any(word and not word.null for word in step)]


def _gap_cost(word: Word) -> float:
    if word.null:
        return _NULL
    return _OPTIONAL if word.optional else _GAP


def _swap_costs(ref: list[Word], hyp: list[Word]) -> np.ndarray:
    """Return what each hypothesis word costs for each reference word."""
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
    costs = np.where(right, 0.0, _SUBSTITUTION).astype(_FLOAT)
    ref_null = np.array([one.null for one in ref], dtype=bool)
    hyp_null = np.array([one.null for one in hyp], dtype=bool)
    costs[ref_null[:, None] & hyp_null] = _NULL_FOR_NULL
    return costs


def _fill(
    ref: Network, hyp: Network, swaps: np.ndarray, drops: np.ndarray, adds: np.ndarray
) -> np.ndarray:
    """Return the least costs of ways that end with two arcs, (len(ref), len(hyp))."""
    costs = np.full((len(ref), len(hyp)), _NEVER, dtype=_FLOAT)
    costs[0, 0] = 0
    before = hyp.predecessors()
    rounded = any(word.null for word in ref.words + hyp.words)
    go_on = _add_one_by_one if rounded else _add_in_runs
    for arc, row in enumerate(costs):
        if arc > 0:
            earlier = costs[list(ref.before[arc])].min(axis=0)
            row[:] = earlier + drops[arc]
            swapped = earlier[before].min(axis=1) + swaps[arc - 1]
            np.minimum(row[1:], swapped, out=row[1:])
        go_on(row, hyp, adds)
    return costs


def _add_in_runs(row: np.ndarray, hyp: Network, adds: np.ndarray) -> None:
    """Let a row of costs go on by insertions, a run of arcs at a time.

    Exact where all costs are whole numbers.
    """
    added = np.cumsum(adds)
    for first, end in hyp.runs:
        # row[b] = min(row[b], row[b - 1] + adds[b]) for all b of the run.
        entry = min(row[other] for other in hyp.before[first]) - added[first - 1]
        part = row[first:end] - added[first:end]
        part[0] = min(part[0], entry)
        row[first:end] = np.minimum.accumulate(part) + added[first:end]


def _add_one_by_one(row: np.ndarray, hyp: Network, adds: np.ndarray) -> None:
    """Let a row of costs go on by insertions, rounding as sclite does."""
    for arc in range(1, len(hyp)):
        entry = min(row[other] for other in hyp.before[arc])
        row[arc] = min(row[arc], entry + adds[arc])


def _trace(
    ref: Network, hyp: Network, swaps: np.ndarray, drops: np.ndarray, adds: np.ndarray,
    costs: np.ndarray,
) -> list[Step]:  # fmt: skip
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
        adding, dropping = added[0] + adds[b], dropped[0] + drops[a]
        swapping = swapped[0] + (swaps[a - 1, b - 1] if a and b else _FLOAT(0))
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
