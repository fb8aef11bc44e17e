"""Utterances whose texts carry sclite's marks, and how a set of them is scored."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from asrkit.decoding.scoring.sclite.align import align
from asrkit.decoding.scoring.sclite.network import make_network
from asrkit.decoding.scoring.sclite.words import Marks, Text, Word, make_word, same
from asrkit.decoding.scoring.score import GAP, Score, WordAlignment, summarize


@dataclass(frozen=True)
class Marked:
    """One utterance."""

    id: str
    ref: Text
    hyp: Text
    speaker: str | None = None
    duration: float | None = None
    """Seconds of audio."""
    labels: tuple[str, ...] = ()
    """Subsets that it belongs to, one of each category."""


@dataclass(frozen=True)
class MarkedSet:
    """Utterances, and what their labels mean."""

    utterances: list[Marked]
    titles: dict[str, str]
    """Of subsets, by label."""
    categories: list[str]
    """Titles of the first, second, ... label's place."""
    notes: list[str] = field(default_factory=list)
    """What is left out."""


def score_marked(utterances: Sequence[Marked], marks: Marks) -> Score:
    """Align as sclite does, and count what it counts.

    Raises:
        InputError: There is not one reference word.
    """
    aligned = [_align(one, marks) for one in utterances]
    return summarize(aligned, empty=sum(not one.hyp for one in utterances))


def mark_hints(score: Score, marks: Marks) -> Iterator[str]:
    """Return which errors are at words that an option makes right or optional."""
    wrong = [ref for one in score.alignments for ref, hyp in one.pairs if ref != hyp]
    optional = sum(ref.startswith("(") and ref.endswith(")") for ref in wrong)
    if optional and not marks.optional:
        yield f"hint: errors at words such as (uh), which may lack with -D: {optional}"
    parts = sum(len(ref) > 1 and "-" in (ref[0], ref[-1]) for ref in wrong)
    if parts and not marks.fragments:
        yield f"hint: errors at fragments such as th-, which fit more with -F: {parts}"


def _align(one: Marked, marks: Marks) -> WordAlignment:
    word = partial(make_word, marks=marks)
    steps = align(make_network(one.ref, word), make_network(one.hyp, word))
    pairs = [_pair(*step) for step in steps]
    ins = sum(ref == GAP for ref, _ in pairs)
    dels = sum(hyp == GAP for _, hyp in pairs)
    return WordAlignment(
        id=one.id,
        pairs=pairs,
        words=len(pairs) - ins,
        ins=ins,
        dels=dels,
        subs=sum(ref != hyp for ref, hyp in pairs) - ins - dels,
        speaker=one.speaker,
        duration=one.duration,
        alternatives=None if all(isinstance(t, str) for t in one.ref) else str(one.ref),
    )


def _pair(ref: Word | None, hyp: Word | None) -> tuple[str, str]:
    """Return a step as an aligned pair: what counts as correct looks the same."""
    if ref is not None and (ref.optional if hyp is None else same(ref, hyp)):
        return ref.text, ref.text
    if hyp is not None and ref is None and hyp.optional:
        return hyp.text, hyp.text
    return (GAP if ref is None else ref.text), (GAP if hyp is None else hyp.text)
