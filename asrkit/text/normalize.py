"""Bringing transcripts into the form that models are trained on."""

import unicodedata
from enum import Enum

from asrkit.text.characters import join_words

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
    AISHELL = "aishell"
    """As LIBRISPEECH, without blanks between Han characters, or kana."""


def normalize_text(text: str, style: TextStyle) -> str:
    """Normalize one transcript.

    `LIBRISPEECH` brings it into Unicode form NFKC and upper case, keeps the letters,
    marks and digits of any script and apostrophes, turns everything else into spaces
    and squeezes these. So full-width letters become ASCII's, as AISHELL's transcripts
    are scored. `AISHELL` leaves out the blanks between two letters of Chinese or
    Japanese, too, and keeps those at words of other scripts. Doing it twice changes
    nothing.
    """
    if style is TextStyle.NONE:
        return text
    text = unicodedata.normalize("NFKC", text).upper().translate(_KEPT)
    # Upper-casing some Greek letters takes them apart: put them together again.
    words = unicodedata.normalize("NFKC", text).split()
    words = [word for word in words if word.strip(_APOSTROPHE)]
    return join_words(words) if style is TextStyle.AISHELL else " ".join(words)


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
