"""Word error rate: word alignments, error counts and a confidence interval."""

from collections.abc import Sequence
from dataclasses import dataclass

import kaldialign
import numpy as np

from asrkit.utils.errors import InputError

GAP = ""
"""Stands for "no word" on one side of an aligned pair; no real word is empty."""

_DRAWS = 1000
_SEED = 0
_DRAWN_AT_ONCE = 4_000_000
_MIN_SPEAKERS = 6


@dataclass(frozen=True)
class Hypothesis:
    """One decoded utterance beside its reference, both as words."""

    id: str
    ref: list[str]
    hyp: list[str]
    speaker: str | None = None


@dataclass(frozen=True)
class Alignment:
    """One utterance's aligned (reference, hypothesis) words; `GAP` where one lacks."""

    id: str
    pairs: list[tuple[str, str]]


@dataclass(frozen=True)
class Score:
    """Error counts of one decoded set."""

    errors: int
    """Insertions, deletions and substitutions together."""
    words: int
    """Reference words."""
    ins: int
    dels: int
    subs: int
    wer: float
    """Errors per reference word, percent."""
    ci95: tuple[float, float]
    """Lower and upper end of the 95 % confidence interval of `wer`, percent."""
    utterances: int
    empty: int
    """Utterances with an empty hypothesis."""
    alignments: list[Alignment]
    """One entry an utterance, sorted by id."""


def score(hypotheses: Sequence[Hypothesis]) -> Score:
    """Align each hypothesis with its reference and count the errors.

    Raises:
        InputError: There is not one reference word.
    """
    ordered = sorted(hypotheses, key=lambda utterance: utterance.id)
    words = np.array([len(utterance.ref) for utterance in ordered], dtype=np.int64)
    if words.sum() == 0:
        raise InputError(
            f"no reference words in {len(ordered)} utterances, so there is no WER; "
            "check that the set has transcripts"
        )
    alignments = [
        Alignment(one.id, kaldialign.align(one.ref, one.hyp, GAP)) for one in ordered
    ]
    counts = np.array([_count_errors(one.pairs) for one in alignments])  # (N, 3)
    ins, dels, subs = (int(total) for total in counts.sum(axis=0))
    errors = ins + dels + subs
    return Score(
        errors=errors,
        words=int(words.sum()),
        ins=ins,
        dels=dels,
        subs=subs,
        wer=100.0 * errors / int(words.sum()),
        ci95=_bootstrap(*_by_speaker(ordered, counts.sum(axis=1), words)),
        utterances=len(ordered),
        empty=sum(not one.hyp for one in ordered),
        alignments=alignments,
    )


def _count_errors(pairs: list[tuple[str, str]]) -> tuple[int, int, int]:
    """Return the insertions, deletions and substitutions of one utterance."""
    ins = sum(ref == GAP for ref, _ in pairs)
    dels = sum(hyp == GAP for _, hyp in pairs)
    return ins, dels, sum(ref != hyp for ref, hyp in pairs) - ins - dels


def _by_speaker(
    hypotheses: Sequence[Hypothesis], errors: np.ndarray, words: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Sum counts over each speaker, if all are known and there are more than five.

    Utterances of one speaker share their errors' causes; drawn one by one they would
    make the interval too narrow. A handful of speakers is too few to draw from.

    Args:
        hypotheses: N utterances.
        errors: Errors per utterance, (N,).
        words: Reference words per utterance, (N,).

    Returns:
        Errors and words per speaker, or per utterance as they came.
    """
    speakers = [one.speaker for one in hypotheses if one.speaker is not None]
    names, group = np.unique(speakers, return_inverse=True)
    if len(speakers) < len(hypotheses) or len(names) < _MIN_SPEAKERS:
        return errors, words
    return np.bincount(group, errors), np.bincount(group, words)


def _bootstrap(errors: np.ndarray, words: np.ndarray) -> tuple[float, float]:
    """Return the 2.5 and 97.5 percentiles of the WER over units drawn anew, percent.

    Args:
        errors: Errors per unit, (N,).
        words: Reference words per unit, (N,), not all zero.
    """
    rng = np.random.default_rng(_SEED)
    units = len(errors)
    even = np.full(units, 1.0 / units)
    rates = []
    # In blocks, so that a set of 100,000 utterances does not take a gigabyte.
    block = max(1, _DRAWN_AT_ONCE // units)
    for start in range(0, _DRAWS, block):
        times_drawn = rng.multinomial(units, even, size=min(block, _DRAWS - start))
        drawn_words = times_drawn @ words
        drawn_errors = times_drawn @ errors
        # A draw of empty references alone has no rate.
        rates.append((drawn_errors / np.maximum(drawn_words, 1))[drawn_words > 0])
    low, high = np.percentile(np.concatenate(rates), [2.5, 97.5])
    return 100.0 * float(low), 100.0 * float(high)
