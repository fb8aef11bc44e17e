"""Where the errors are: by speaker, duration, speaking rate and length; which words."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from asrkit.decoding.scoring.error_unit import ErrorUnit
from asrkit.decoding.scoring.score import GAP, Score, WordAlignment

_UNKNOWN = "unknown"


class Aspect(str, Enum):
    """What utterances are grouped by."""

    SPEAKER = "speaker"
    DURATION = "duration"
    """Seconds of audio."""
    RATE = "rate"
    """Reference words, or what else is counted, a second."""
    WORDS = "words"
    """Reference words, or what else is counted."""


_Buckets = tuple[list[float], list[str]]
"""Where one bucket ends and the next begins, and the buckets' names."""

_DURATIONS: _Buckets = (
    [2, 5, 10, 15, 20, 30],
    ["< 2 s", "2-5 s", "5-10 s", "10-15 s", "15-20 s", "20-30 s", "30+ s"],
)
_WORDS: dict[Aspect, _Buckets] = {
    Aspect.DURATION: _DURATIONS,
    Aspect.RATE: (
        [1, 1.5, 2, 2.5, 3, 3.5, 4],
        ["< 1", "1-1.5", "1.5-2", "2-2.5", "2.5-3", "3-3.5", "3.5-4", "4+"],
    ),
    Aspect.WORDS: (
        [1, 3, 6, 11, 21, 41],
        ["0", "1-2", "3-5", "6-10", "11-20", "21-40", "41+"],
    ),
}
# Chinese has three to six characters a second, alphabets ten to fifteen.
_CHARACTERS: dict[Aspect, _Buckets] = {
    Aspect.DURATION: _DURATIONS,
    Aspect.RATE: (
        [2, 3, 4, 5, 6, 8, 12, 16],
        ["< 2", "2-3", "3-4", "4-5", "5-6", "6-8", "8-12", "12-16", "16+"],
    ),
    Aspect.WORDS: (
        [1, 6, 11, 21, 41, 81],
        ["0", "1-5", "6-10", "11-20", "21-40", "41-80", "81+"],
    ),
}


@dataclass(frozen=True)
class Group:
    """Error counts of the utterances that share something."""

    name: str
    """A speaker, or a range such as "2-5 s"; a value on the edge is in the next."""
    utterances: int
    words: int
    """Reference words."""
    ins: int
    dels: int
    subs: int

    @property
    def errors(self) -> int:
        """Insertions, deletions and substitutions together."""
        return self.ins + self.dels + self.subs

    @property
    def rate(self) -> float | None:
        """Errors per reference word, percent; None without a reference word."""
        return 100.0 * self.errors / self.words if self.words else None


@dataclass(frozen=True)
class WordErrors:
    """How often each word went wrong."""

    subs: Counter[tuple[str, str]]
    """(reference, hypothesis) words."""
    dels: Counter[str]
    ins: Counter[str]


def group_by(score: Score, aspect: Aspect) -> list[Group]:
    """Return the groups of a set in order, those without an utterance left out.

    Utterances whose speaker or duration is not known come last, as "unknown"; there
    are no groups if none is known.
    """
    names = [*_names(score, aspect), _UNKNOWN]
    groups: dict[str, list[WordAlignment]] = {name: [] for name in names}
    for one in score.alignments:
        groups[_name(one, aspect, score.counted)].append(one)
    if len(groups[_UNKNOWN]) == score.utterances:
        return []
    return [sum_group(name, members) for name, members in groups.items() if members]


def sum_group(name: str, members: Sequence[WordAlignment]) -> Group:
    """Sum up the counts of a group."""
    return Group(
        name=name,
        utterances=len(members),
        words=sum(one.words for one in members),
        ins=sum(one.ins for one in members),
        dels=sum(one.dels for one in members),
        subs=sum(one.subs for one in members),
    )


def count_pairs(alignments: Iterable[WordAlignment]) -> Counter[tuple[str, str]]:
    """Count the aligned (reference, hypothesis) words, the right ones too."""
    return Counter(pair for one in alignments for pair in one.pairs)


def word_errors(pairs: Counter[tuple[str, str]]) -> WordErrors:
    """Sort counted pairs into substitutions, deletions and insertions."""
    errors = WordErrors(Counter(), Counter(), Counter())
    for (ref, hyp), count in pairs.items():
        if ref == GAP:
            errors.ins[hyp] += count
        elif hyp == GAP:
            errors.dels[ref] += count
        elif ref != hyp:
            errors.subs[ref, hyp] += count
    return errors


def _buckets(aspect: Aspect, counted: ErrorUnit) -> _Buckets:
    return (_WORDS if counted is ErrorUnit.WORD else _CHARACTERS)[aspect]


def _names(score: Score, aspect: Aspect) -> list[str]:
    if aspect is Aspect.SPEAKER:
        speakers = {one.speaker for one in score.alignments}
        return sorted(name for name in speakers if name is not None)
    return _buckets(aspect, score.counted)[1]


def _name(one: WordAlignment, aspect: Aspect, counted: ErrorUnit) -> str:
    """Return the name of the group that an utterance is in."""
    if aspect is Aspect.SPEAKER:
        return _UNKNOWN if one.speaker is None else one.speaker
    value = _measure(one, aspect)
    if value is None:
        return _UNKNOWN
    edges, names = _buckets(aspect, counted)
    return names[bisect_right(edges, value)]


def _measure(one: WordAlignment, aspect: Aspect) -> float | None:
    if aspect is Aspect.WORDS:
        return one.words
    if not one.duration:
        return None
    return one.duration if aspect is Aspect.DURATION else one.words / one.duration
