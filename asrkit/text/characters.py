"""Characters as readers count them, and scripts that are written without blanks.

A character is a base with the marks on it: of Unicode's grapheme clusters (UAX #29) the
part that transcripts need. Jamo, which make up Korean syllables in form NFD, and emoji
of several code points are not put together.
"""

import unicodedata
from collections.abc import Iterator
from functools import lru_cache

_JOINERS = {"\u200c", "\u200d"}
_UNSPACED = (
    "CJK ",
    "IDEOGRAPHIC ",
    "HIRAGANA ",
    "KATAKANA",
    "HALFWIDTH KATAKANA",
    "HENTAIGANA ",
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
        if characters and _is_mark(code):
            characters[-1] += code
        else:
            characters.append(code)
    return characters


@lru_cache(1 << 16)
def is_unspaced(character: str) -> bool:
    """Say whether a character is a letter of a script written without blanks."""
    base = character[0]
    letter = unicodedata.category(base) in ("Lo", "Lm", "Nl")
    return letter and unicodedata.name(base, "").startswith(_UNSPACED)


def split_scripts(word: str) -> Iterator[tuple[str, bool]]:
    """Cut a word without blanks where its script changes between the two kinds.

    Returns:
        Each character of a script that is written without blanks, and True; each run
        of others, and False.
    """
    run = ""
    for character in split_characters(word):
        if not is_unspaced(character):
            run += character
            continue
        if run:
            yield run, False
            run = ""
        yield character, True
    if run:
        yield run, False


@lru_cache(1 << 16)
def _is_mark(code: str) -> bool:
    return unicodedata.category(code)[0] == "M" or code in _JOINERS
