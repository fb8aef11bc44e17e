"""Letters aligned with phones: which letters of a word are spoken as which phones."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

Graphone = tuple[str, tuple[str, ...]]
"""Letters and the phones that they are spoken as, such as ("SH", ("SH",))."""
Pronunciation = tuple[str, Sequence[str]]
"""A word and its phones."""

_SHAPES = [(1, 1), (1, 0), (1, 2), (2, 1)]
"""Letters and phones of a graphone."""
_EXPONENTS = [1.0, 1.0, 1.5, 1.5]
"""Of the probability of each shape: a cut into few graphones multiplies few of them,
and without this the larger graphones would win by that alone."""
_ITERATIONS = 8
_LONGEST = 40
"""Letters; the probabilities of much longer words could underflow."""

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]


def align(pronunciations: Sequence[Pronunciation]) -> list[list[Graphone]]:
    """Cut words into graphones together with their phones.

    The graphones of a word are taken as independent of each other (Bisani and Ney,
    "Joint-sequence models for grapheme-to-phoneme conversion", 2008, with a model of
    order 1): expectation maximization finds their probabilities, then each word is cut
    in the most probable way. Graphones of two letters or two phones weigh more.

    Args:
        pronunciations: To align, one or more; `can_align` holds for each.

    Returns:
        The graphones of each pronunciation.
    """
    groups = _group(pronunciations)
    keys = np.unique(np.concatenate([np.unique(a) for g in groups for a in g.arcs]))
    for group in groups:
        group.arcs = [np.searchsorted(keys, arcs) for arcs in group.arcs]
    # All cuts of a word are as likely at first.
    probs = np.ones(len(keys))
    for _ in range(_ITERATIONS):
        counts = np.zeros_like(probs)
        for group in groups:
            _count(group, probs, counts)
        # The M step: expected counts of the E step above, normalized.
        probs = counts / counts.sum()
    cuts: list[list[Graphone]] = [[] for _ in pronunciations]
    for group in groups:
        steps = _best_steps(group, probs)
        for index, shapes in zip(group.indices, steps, strict=True):
            cuts[index] = _cut(pronunciations[index], shapes)
    return cuts


def can_align(word: str, phones: Sequence[str]) -> bool:
    """Tell whether `align` can cut a word.

    It cannot where there are more than two phones a letter, as in abbreviations.
    """
    return 0 < len(phones) <= 2 * len(word) <= 2 * _LONGEST


@dataclass
class _Group:
    """All pronunciations with the same numbers of letters, L, and of phones, P."""

    indices: list[int]
    size: tuple[int, int]
    """L, P."""
    arcs: list[_Ints]
    """Of each shape (a, b): the graphone that begins at each letter and phone,
    (L - a + 1, P - b + 1, N)."""


def _group(pronunciations: Sequence[Pronunciation]) -> list[_Group]:
    members: dict[tuple[int, int], list[int]] = defaultdict(list)
    for index, (word, phones) in enumerate(pronunciations):
        members[len(word), len(phones)].append(index)
    letter_ids = _number(letter for word, _ in pronunciations for letter in word)
    phone_ids = _number(phone for _, phones in pronunciations for phone in phones)
    groups = []
    for (L, P), indices in members.items():
        some = [pronunciations[index] for index in indices]
        letters = np.array([[letter_ids[x] for x in word] for word, _ in some]).T
        spoken = np.array([[phone_ids[x] for x in phones] for _, phones in some]).T
        arcs = [
            _pairs(letters, a, len(letter_ids))[:, None] * (len(phone_ids) + 1) ** 2
            + _pairs(spoken, b, len(phone_ids))[None]
            for a, b in _SHAPES
        ]
        groups.append(_Group(indices, (L, P), arcs))
    return groups


def _number(symbols: Iterable[str]) -> dict[str, int]:
    """Number the symbols from 1 on; 0 is for none."""
    return {symbol: i for i, symbol in enumerate(dict.fromkeys(symbols), start=1)}


def _pairs(symbols: _Ints, length: int, count: int) -> _Ints:
    """Number the pieces of 0, 1 or 2 symbols that begin at each place.

    Args:
        symbols: (S, N), in 1 to count.
        length: Symbols of a piece.
        count: Number of different symbols.

    Returns:
        (S - length + 1, N).
    """
    S, N = symbols.shape
    if length == 0:
        return np.zeros((S + 1, N), dtype=np.int64)
    if length == 1:
        return symbols
    return symbols[:-1] + (count + 1) * symbols[1:]


def _cells(group: _Group) -> list[tuple[int, int]]:
    L, P = group.size
    return list(product(range(L + 1), range(P + 1)))


def _count(group: _Group, probs: _Floats, counts: _Floats) -> None:
    """Add to `counts` how often each graphone is expected (forward-backward)."""
    L, P = group.size
    weights = [
        probs[arcs] ** exponent
        for arcs, exponent in zip(group.arcs, _EXPONENTS, strict=True)
    ]
    forward = np.zeros((L + 1, P + 1, len(group.indices)))
    backward = np.zeros_like(forward)
    forward[0, 0] = backward[L, P] = 1.0
    for i, j in _cells(group):
        for (a, b), weight in zip(_SHAPES, weights, strict=True):
            if i >= a and j >= b:
                forward[i, j] += forward[i - a, j - b] * weight[i - a, j - b]
    for i, j in reversed(_cells(group)):
        for (a, b), weight in zip(_SHAPES, weights, strict=True):
            if i + a <= L and j + b <= P:
                backward[i, j] += backward[i + a, j + b] * weight[i, j]
    total = forward[L, P]
    for (a, b), weight, arcs in zip(_SHAPES, weights, group.arcs, strict=True):
        begins = forward[: max(L - a + 1, 0), : max(P - b + 1, 0)]
        posterior = begins * weight * backward[a:, b:] / total
        counts += np.bincount(arcs.ravel(), posterior.ravel(), len(counts))


def _best_steps(group: _Group, probs: _Floats) -> list[list[int]]:
    """Return the shapes of the most probable cut of each word (Viterbi)."""
    L, P = group.size
    N = len(group.indices)
    with np.errstate(divide="ignore"):
        weights = [
            exponent * np.log(probs)[arcs]
            for arcs, exponent in zip(group.arcs, _EXPONENTS, strict=True)
        ]
    best = np.full((L + 1, P + 1, N), -np.inf)
    best[0, 0] = 0.0
    step = np.zeros((L + 1, P + 1, N), dtype=np.int64)
    for i, j in _cells(group):
        for shape, (a, b) in enumerate(_SHAPES):
            if i >= a and j >= b:
                score = best[i - a, j - b] + weights[shape][i - a, j - b]
                step[i, j] = np.where(score > best[i, j], shape, step[i, j])
                best[i, j] = np.maximum(score, best[i, j])
    return [_trace(step[:, :, n]) for n in range(N)]


def _trace(step: _Ints) -> list[int]:
    """Follow the steps of one word back from its end."""
    i, j = step.shape[0] - 1, step.shape[1] - 1
    shapes: list[int] = []
    while i or j:
        shapes.insert(0, int(step[i, j]))
        a, b = _SHAPES[shapes[0]]
        i, j = i - a, j - b
    return shapes


def _cut(pronunciation: Pronunciation, shapes: list[int]) -> list[Graphone]:
    word, phones = pronunciation
    graphones = []
    for shape in shapes:
        a, b = _SHAPES[shape]
        graphones.append((word[:a], tuple(phones[:b])))
        word, phones = word[a:], phones[b:]
    return graphones
