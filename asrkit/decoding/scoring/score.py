"""Error rates: alignments, error counts, a confidence interval.

A word is what is counted, here and below: a character where the unit says so.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import kaldialign
import numpy as np

from asrkit.decoding.scoring.bootstrap import (
    Unit,
    draw_sums,
    percent_interval,
    sum_by_unit,
)
from asrkit.decoding.scoring.error_unit import ErrorUnit
from asrkit.text.normalize import TextStyle, normalize_text
from asrkit.utils.errors import InputError

GAP = ""
"""Stands for "no word" on one side of an aligned pair; no real word is empty."""


@dataclass(frozen=True)
class Hypothesis:
    """One decoded utterance beside its reference, both as words."""

    id: str
    ref: list[str]
    hyp: list[str]
    speaker: str | None = None
    duration: float | None = None
    """Seconds of audio."""


@dataclass(frozen=True)
class WordAlignment:
    """One utterance's aligned words and the errors among them."""

    id: str
    pairs: list[tuple[str, str]]
    """(reference, hypothesis) words; `GAP` where one lacks. What a rule of scoring
    counts as correct, such as an optional word, has the same word on both sides."""
    words: int
    """Reference words."""
    ins: int
    dels: int
    subs: int
    speaker: str | None = None
    duration: float | None = None
    """Seconds of audio."""
    alternatives: str | None = None
    """The whole reference, if it has alternatives."""

    @property
    def errors(self) -> int:
        """Insertions, deletions and substitutions together."""
        return self.ins + self.dels + self.subs

    @property
    def original(self) -> str | list[str]:
        """The reference, the same for all systems."""
        return self.ref if self.alternatives is None else self.alternatives

    @property
    def ref(self) -> list[str]:
        """The reference words; of several readings, those of the one that fits best."""
        return [ref for ref, _ in self.pairs if ref != GAP]

    @property
    def hyp(self) -> list[str]:
        """The hypothesis words."""
        return [hyp for _, hyp in self.pairs if hyp != GAP]


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
    counted: ErrorUnit
    """What a word is."""
    rate: float
    """Errors per reference word, percent: WER, or CER or MER by `counted`."""
    ci95: tuple[float, float]
    """Lower and upper end of the 95 % confidence interval of `rate`, percent."""
    unit: Unit
    """What was drawn for the interval."""
    cer: float | None
    """Where words are counted: character errors per reference character, percent; a
    space is a character."""
    utterances: int
    empty: int
    """Utterances with an empty hypothesis."""
    alignments: list[WordAlignment]
    """One entry an utterance, sorted by id."""


def score(
    hypotheses: Sequence[Hypothesis], counted: ErrorUnit = ErrorUnit.WORD
) -> Score:
    """Align each hypothesis with its reference and count the errors.

    Args:
        hypotheses: Both sides as words between blanks, whatever is counted.
        counted: What errors are counted in.

    Raises:
        InputError: There is not one reference word, or an id is there twice.
    """
    return summarize(
        [_align(one, counted) for one in hypotheses],
        empty=sum(not one.hyp for one in hypotheses),
        counted=counted,
    )


def error_rate(hypotheses: Sequence[Hypothesis], counted: ErrorUnit) -> float:
    """Return the rate of `score` alone, percent, in a fraction of the time.

    Raises:
        InputError: There is not one reference word.
    """
    errors = words = 0
    for one in hypotheses:
        ref, hyp = counted.divide(one.ref), counted.divide(one.hyp)
        words += len(ref)
        errors += edit_distance(ref, hyp)
    if not words:
        raise _no_words(len(hypotheses), counted)
    return 100.0 * errors / words


def summarize(
    alignments: Iterable[WordAlignment],
    *,
    empty: int,
    counted: ErrorUnit = ErrorUnit.WORD,
) -> Score:
    """Sum up the errors of aligned utterances.

    Args:
        alignments: One an utterance, in any order.
        empty: How many of the hypotheses are empty.
        counted: What the aligned words are.

    Raises:
        InputError: There is not one reference word, or an id is there twice.
    """
    ordered = sorted(alignments, key=lambda alignment: alignment.id)
    _check(ordered, counted)
    # (N, 4)
    counts = np.array([(a.ins, a.dels, a.subs, a.words) for a in ordered])
    ins, dels, subs, words = (int(total) for total in counts.sum(axis=0))
    errors = ins + dels + subs
    pairs = np.stack([counts[:, :3].sum(axis=1), counts[:, 3]], axis=1)
    pairs, unit = sum_by_unit(pairs, [one.speaker for one in ordered])
    drawn = draw_sums(pairs)
    return Score(
        errors=errors,
        words=words,
        ins=ins,
        dels=dels,
        subs=subs,
        counted=counted,
        rate=100.0 * errors / words,
        ci95=percent_interval(drawn[:, 0], drawn[:, 1], len(pairs)),
        unit=unit,
        cer=_character_error_rate(ordered) if counted is ErrorUnit.WORD else None,
        utterances=len(ordered),
        empty=empty,
        alignments=ordered,
    )


def normalized(hypotheses: Iterable[Hypothesis], style: TextStyle) -> list[Hypothesis]:
    """Return the utterances with both their sides in one style of writing."""
    if style is TextStyle.NONE:
        return list(hypotheses)
    return [
        replace(one, ref=_in_style(one.ref, style), hyp=_in_style(one.hyp, style))
        for one in hypotheses
    ]


def _in_style(words: list[str], style: TextStyle) -> list[str]:
    return normalize_text(" ".join(words), style).split()


def _check(ordered: Sequence[WordAlignment], counted: ErrorUnit) -> None:
    """Refuse a set that has no error rate."""
    for one, following in pairwise(ordered):
        if one.id == following.id:
            raise InputError(
                f"utterance {one.id} is there twice; each may be scored once"
            )
    if not any(one.words for one in ordered):
        raise _no_words(len(ordered), counted)


def _no_words(utterances: int, counted: ErrorUnit) -> InputError:
    return InputError(
        f"no reference {counted.plural} in {utterances} utterances, so there is no "
        f"{counted.rate}; check that the set has transcripts"
    )


def _align(one: Hypothesis, counted: ErrorUnit) -> WordAlignment:
    ref, hyp = counted.divide(one.ref), counted.divide(one.hyp)
    if ref == hyp:  # most are, and need no search
        pairs = list(zip(ref, hyp, strict=True))
    else:
        pairs = kaldialign.align(ref, hyp, GAP)
    ins = sum(ref == GAP for ref, _ in pairs)
    dels = sum(hyp == GAP for _, hyp in pairs)
    return WordAlignment(
        id=one.id,
        pairs=pairs,
        words=len(ref),
        ins=ins,
        dels=dels,
        subs=sum(ref != hyp for ref, hyp in pairs) - ins - dels,
        speaker=one.speaker,
        duration=one.duration,
    )


def _character_error_rate(alignments: Iterable[WordAlignment]) -> float:
    """Return character errors per reference character, percent."""
    errors = characters = 0
    for one in alignments:
        ref, hyp = " ".join(one.ref), " ".join(one.hyp)
        characters += len(ref)
        errors += edit_distance(ref, hyp)
    return 100.0 * errors / characters


def edit_distance(ref: Sequence[str], hyp: Sequence[str]) -> int:
    """Return the least insertions, deletions and substitutions of words."""
    # What both begin or end with costs nothing but time.
    for _ in range(2):
        same = _same_at_start(ref, hyp)
        ref, hyp = ref[same:][::-1], hyp[same:][::-1]
    return int(kaldialign.edit_distance(ref, hyp)["total"]) if ref or hyp else 0


def _same_at_start(ref: Sequence[str], hyp: Sequence[str]) -> int:
    """Return how many words two texts begin with in common."""
    pairs = enumerate(zip(ref, hyp, strict=False))
    shorter = min(len(ref), len(hyp))
    return next((place for place, (one, two) in pairs if one != two), shorter)
