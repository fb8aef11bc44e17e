"""Words as sclite takes them: alternatives, optional words, fragments, the null word.

NIST's format descriptions (SCTK, infmts.htm) say what the marks mean; what they leave
open was tried on sclite 2.10 (SCTK 2.4.10).
"""

import re
from dataclasses import dataclass
from typing import TypeAlias

from asrkit.utils.errors import InputError

NULL = "@"
"""The null word: to leave it out costs nothing."""

Text: TypeAlias = list[str | list["Text"]]
"""Tokens; in place of one, a list holds the texts that are right alternatively."""

_TAG = re.compile(r"(?<!\\);")
# sclite knows ASCII's blanks alone: a no-break space is a part of a word.
_PIECE = re.compile(r"[{}]|[^ \t\n\v\f\r{}]+")
_SLASHED = re.compile(r"/|[^/]+")
_UPPER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}


@dataclass(frozen=True)
class Marks:
    """Which marks count: sclite's options of the same names."""

    optional: bool = False
    """-D: a word in parentheses that lacks counts as correct."""
    fragments: bool = False
    """-F: `th-` is correct for any word that begins so, `-ing` for one that ends so."""


@dataclass(frozen=True)
class Word:
    """A word of a reference or a hypothesis."""

    text: str
    """As it is written, to be shown."""
    key: str
    """What is compared."""
    optional: bool = False
    fragment: bool = False

    @property
    def null(self) -> bool:
        """Whether it stands for no word."""
        return self.text == NULL


def fold(text: str) -> str:
    """Return text in lower case, as far as its letters are ASCII's."""
    return text.translate(_UPPER)


def parse_text(text: str, where: str) -> Text:
    """Split a transcript into tokens and alternatives.

    Args:
        text: Such as `i { am / { will / shall } be } (uh) there`.
        where: File and line, for messages.

    Raises:
        InputError: Braces do not match, stand inside a word or enclose nothing.
    """
    if "{" not in text and "}" not in text:
        return list(_PIECE.findall(text))
    _check_braces(text, where)
    # Each level holds the alternatives that are open, the last of them growing.
    levels: list[list[Text]] = [[[]]]
    for piece in _PIECE.findall(text):
        if piece == "{":
            levels.append([[]])
        elif piece == "}":
            # sclite does not see an empty alternative; `@` is for that.
            readings = [reading for reading in levels.pop() if reading]
            if not readings or not levels:
                raise InputError(f"{where}: `}}` closes nothing in {text[:60]!r}")
            levels[-1][-1].append(readings)
        elif len(levels) == 1:
            levels[0][0].append(piece)
        else:
            _add_readings(levels[-1], piece)
    if len(levels) > 1:
        raise InputError(f"{where}: `{{` is never closed in {text[:60]!r}")
    return levels[0][0]


def make_word(token: str, marks: Marks) -> Word:
    """Return the word that a token stands for."""
    token = _untagged(token)
    if len(token) > 1 and token.endswith("*"):  # an old mark of mispronounced words
        token = token[:-1]
    optional = marks.optional and token.startswith("(") and token.endswith(")")
    fragment = marks.fragments and (
        token.startswith("-")
        or token.endswith("-")
        or (optional and token.endswith("-)"))
    )
    return Word(token, token[1:-1] if optional else token, optional, fragment)


def same(one: Word, other: Word) -> bool:
    """Tell whether one word is correct for the other."""
    if one.key == other.key:
        return True
    if not (one.fragment or other.fragment):
        return False
    for part, whole in (one.key, other.key), (other.key, one.key):
        if len(part) > 1 and part.startswith("-"):
            return whole.endswith(part[1:])
        if len(part) > 1 and part.endswith("-"):
            return whole.startswith(part[:-1])
    return False


def _check_braces(text: str, where: str) -> None:
    glued = re.search(r"[^\s{}/]\{", text)
    if glued is not None:
        raise InputError(
            f"{where}: `{{` is part of a word in {text[:60]!r}; put a space before it"
        )


def _add_readings(readings: list[Text], piece: str) -> None:
    """Add what stands between braces: `a/b` is two alternatives there."""
    for part in _SLASHED.findall(piece):
        if part == "/":
            readings.append([])
        else:
            readings[-1].append(part)


def _untagged(token: str) -> str:
    """Drop what follows a semicolon: sclite takes it for a tag of the word."""
    return _TAG.split(token, maxsplit=1)[0].replace("\\", "") or token
