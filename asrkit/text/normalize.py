"""Bringing transcripts into the form that models are trained on."""

import unicodedata
from enum import Enum

_APOSTROPHE = "'"
_RIGHT_QUOTE = "\u2019"
# Zero-width (non-)joiners are part of the spelling in Persian and Indic scripts.
_JOINERS = {"\u200c", "\u200d"}


class TextStyle(str, Enum):
    """How transcripts are normalized."""

    NONE = "none"
    """Left as they are."""
    LIBRISPEECH = "librispeech"
    """Upper case words of letters, digits and apostrophes; no punctuation."""


def normalize_text(text: str, style: TextStyle) -> str:
    """Normalize one transcript.

    `LIBRISPEECH` brings it into Unicode form NFKC and upper case, keeps the letters,
    marks and digits of any script and apostrophes, turns everything else into spaces
    and squeezes these. Doing it twice changes nothing.
    """
    if style is TextStyle.NONE:
        return text
    text = unicodedata.normalize("NFKC", text).upper().translate(_KEPT)
    # Upper-casing some Greek letters takes them apart: put them together again.
    words = unicodedata.normalize("NFKC", text).split()
    return " ".join(word for word in words if word.strip(_APOSTROPHE))


class _KeptCharacters(dict[int, str]):
    """A table for `str.translate` that looks each character up once."""

    def __missing__(self, code: int) -> str:
        self[code] = _kept(chr(code))
        return self[code]


def _kept(character: str) -> str:
    if character in _JOINERS or character == _APOSTROPHE:
        return character
    if character == _RIGHT_QUOTE:
        return _APOSTROPHE
    category = unicodedata.category(character)
    if category[0] in "LMN":
        return character
    # Invisible format characters (soft hyphen, byte order mark) separate no words.
    return "" if category == "Cf" else " "


_KEPT = _KeptCharacters()
