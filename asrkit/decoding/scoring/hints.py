"""What explains many of a set's errors at once: case, punctuation, blanks."""

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator

import kaldialign

from asrkit.decoding.scoring.error_unit import ErrorUnit
from asrkit.decoding.scoring.score import Score
from asrkit.text.characters import is_unspaced

_WORTH_SAYING = 0.01
"""Of the errors; fewer are nothing to look after."""


def hints(score: Score) -> Iterator[str]:
    """Return what explains many errors.

    It is how many vanish when case, punctuation or both are ignored, and that words are
    counted where there are none.
    """
    if score.counted is ErrorUnit.WORD and score.errors and _is_unspaced(score):
        yield (
            "hint: most of the text is in a script that is written without blanks; "
            "count characters (--unit character, decode.unit=CHARACTER)"
        )
    texts = [(one.ref, one.hyp) for one in score.alignments if one.errors]
    most = 0
    for name, change in _CHANGES.items():
        vanish = _vanishing(texts, change)
        more = vanish - most if change is _without_both else vanish
        most = max(most, vanish)
        if more > _WORTH_SAYING * score.errors:
            yield f"hint: {vanish} of {score.errors} errors vanish when {name} ignored"


def _is_unspaced(score: Score) -> bool:
    """Say whether most of the reference is in scripts written without blanks."""
    letters: Counter[str] = Counter()
    for one in score.alignments:
        letters.update("".join(one.ref))
    unspaced = sum(count for code, count in letters.items() if is_unspaced(code))
    return 2 * unspaced > letters.total()


def _vanishing(
    texts: list[tuple[list[str], list[str]]], change: Callable[[str], str]
) -> int:
    """Return how many errors fewer there are once words are changed."""
    words = {word for text in texts for side in text for word in side}
    becomes = {word: change(word).split() for word in words}
    alike = Counter(map(tuple, becomes.values()))
    # Only words that become like others, several or none change a distance.
    matter = {
        word for word, new in becomes.items() if len(new) != 1 or alike[tuple(new)] > 1
    }
    vanish = 0
    for text in texts:
        if any(not matter.isdisjoint(side) for side in text):
            ref, hyp = (
                [new for word in side for new in becomes[word]] for side in text
            )
            # Not the score's errors: sclite's alignments are not the shortest ones.
            vanish += _distance(*text) - _distance(ref, hyp)
    return vanish


def _distance(ref: list[str], hyp: list[str]) -> int:
    return int(kaldialign.edit_distance(ref, hyp)["total"])


def _without_punctuation(word: str) -> str:
    return word.translate(_PUNCTUATION)


def _without_both(word: str) -> str:
    return _without_punctuation(word).casefold()


class _Punctuation(dict[int, str]):
    """A table for `str.translate` that looks each character up once."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        if character in "'\u2019":  # parts of words
            self[code] = "'"
        else:
            mark = unicodedata.category(character).startswith("P")
            self[code] = " " if mark else character
        return self[code]


_PUNCTUATION = _Punctuation()
_CHANGES: dict[str, Callable[[str], str]] = {
    "case is": str.casefold,
    "punctuation is": _without_punctuation,
    "case and punctuation are": _without_both,
}
