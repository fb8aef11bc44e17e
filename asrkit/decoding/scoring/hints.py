"""What explains many of a set's errors at once: the case of letters, punctuation."""

import unicodedata
from collections.abc import Callable, Iterator

import kaldialign

from asrkit.decoding.scoring.score import Score

_WORTH_SAYING = 0.01
"""Of the errors; fewer are nothing to look after."""


def hints(score: Score) -> Iterator[str]:
    """Return how many errors vanish when case, punctuation or both are ignored."""
    words = [(one.ref, one.hyp) for one in score.alignments if one.errors]
    # Less than the errors where alignments are not the shortest ones, as sclite's.
    least = sum(_distance(ref, hyp) for ref, hyp in words)
    most = 0
    for name, change in _CHANGES.items():
        left = sum(_distance(change(ref), change(hyp)) for ref, hyp in words)
        vanish = least - left
        more = vanish - most if change is _without_both else vanish
        most = max(most, vanish)
        if more > _WORTH_SAYING * score.errors:
            yield f"hint: {vanish} of {score.errors} errors vanish when {name} ignored"


def _distance(ref: list[str], hyp: list[str]) -> int:
    return int(kaldialign.edit_distance(ref, hyp)["total"])


def _without_case(words: list[str]) -> list[str]:
    return [word.casefold() for word in words]


def _without_punctuation(words: list[str]) -> list[str]:
    return " ".join(words).translate(_PUNCTUATION).split()


def _without_both(words: list[str]) -> list[str]:
    return _without_case(_without_punctuation(words))


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
_CHANGES: dict[str, Callable[[list[str]], list[str]]] = {
    "case is": _without_case,
    "punctuation is": _without_punctuation,
    "case and punctuation are": _without_both,
}
