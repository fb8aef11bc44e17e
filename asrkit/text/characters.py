"""Characters as readers count them, and scripts that are written without blanks.

A character is a base with the marks on it: of Unicode's grapheme clusters (UAX #29) the
part that transcripts need. Jamo, which make up Korean syllables in form NFD, and emoji
of several code points are not put together.
"""

import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache

_EXTENDING = {"\u200c", "\u200d", "\uff9e", "\uff9f"}
"""Joiners, and the voicing marks of half-width kana, which are no marks by category."""
_HAN_AND_KANA = (
    "CJK ",
    "IDEOGRAPHIC ",
    "HIRAGANA ",
    "KATAKANA",
    "HALFWIDTH KATAKANA",
    "HENTAIGANA ",
)
"""How the names of the letters begin that Chinese and Japanese are written with."""
_UNSPACED = (
    *_HAN_AND_KANA,
    "TANGUT ",
    "NUSHU ",
    "THAI ",
    "LAO ",
    "KHMER ",
    "MYANMAR ",
    "TAI ",
    "NEW TAI LUE ",
    "AHOM ",
)
"""How the names of letters begin that UAX #29 does not count as ALetter, so that it
finds no word in a run of them: ideographs, kana, and the scripts of South East Asia
whose class of line breaking is SA (UAX #14)."""


def split_characters(word: str) -> list[str]:
    """Return the characters of a word without blanks, each with the marks on it."""
    if word.isascii():
        return list(word)
    characters: list[str] = []
    for code in word:
        if characters and is_mark(code):
            characters[-1] += code
        else:
            characters.append(code)
    return characters


@lru_cache(1 << 16)
def is_unspaced(character: str) -> bool:
    """Say whether a character is a letter of a script written without blanks."""
    return _is_letter_of(character[0], _UNSPACED)


@lru_cache(1 << 16)
def is_han_or_kana(character: str) -> bool:
    """Say whether a character is a letter of Chinese or Japanese.

    A blank between two of them is no speech: it says how somebody has cut a text into
    words. Thai, say, has blanks between phrases.
    """
    return _is_letter_of(character[0], _HAN_AND_KANA)


def join_words(words: Iterable[str], blank: str = " ") -> str:
    """Put words in a row, with no blank where Han or kana stand on both sides of it."""
    parts: list[str] = []
    last = blank
    for word in words:
        if parts and not (is_han_or_kana(last) and is_han_or_kana(word[0])):
            parts.append(blank)
        parts.append(word)
        last = next((code for code in reversed(word) if not is_mark(code)), word[0])
    return "".join(parts)


def split_scripts(word: str) -> Iterator[str]:
    """Return each character of a script that is written without blanks; runs of others.

    Args:
        word: Without blanks.
    """
    run = ""
    for character in split_characters(word):
        if not is_unspaced(character):
            run += character
            continue
        if run:
            yield run
            run = ""
        yield character
    if run:
        yield run


def _is_letter_of(code: str, names: tuple[str, ...]) -> bool:
    letter = unicodedata.category(code) in ("Lo", "Lm", "Nl")
    return letter and unicodedata.name(code, "").startswith(names)


@lru_cache(1 << 16)
def is_mark(code: str) -> bool:
    """Say whether a code point belongs to the one before it."""
    return unicodedata.category(code)[0] == "M" or code in _EXTENDING
