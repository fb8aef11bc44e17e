"""What a tokenizer does not give back: a text against what is decoded from its ids."""

import unicodedata
from collections.abc import Sequence
from difflib import SequenceMatcher
from functools import lru_cache

from asrkit.text.tokenizer import UNK_ID, Tokenizer

Change = tuple[str, str]
"""Characters of a text and what comes back in their place."""

_WORDS = 1 << 17  # whose changes are remembered
_SEEN = ("L", "N", "P", "S")  # categories of characters that show by themselves


class RoundTrip:
    """Compares texts with what comes back of them; each word is looked at once.

    Args:
        tokenizer: Encodes and decodes.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._changes_of = lru_cache(_WORDS)(self._compare)

    def changes(self, text: str, tokens: Sequence[int]) -> list[Change]:
        """List what is changed, each once; not what the tokenizer lacks.

        Args:
            text: Words with one space between them.
            tokens: Its ids.
        """
        if self._tokenizer.gives_back(text, tokens):
            return []
        words = text.split()
        return list(dict.fromkeys(c for word in words for c in self._changes_of(word)))

    def _compare(self, word: str) -> list[Change]:
        ids = self._tokenizer.encode(word)
        if UNK_ID in ids or self._tokenizer.gives_back(word, ids):
            return []
        decoded = self._tokenizer.decode(ids)
        steps = SequenceMatcher(None, word, decoded, autojunk=False).get_opcodes()
        return [(word[a:b], decoded[c:d]) for t, a, b, c, d in steps if t != "equal"]


def describe_change(change: Change) -> str:
    """Say what becomes of which characters, with their code points."""
    before, after = map(name_characters, change)
    return f"{before} becomes {after}"


def name_characters(characters: str) -> str:
    """Name characters so that one can tell them apart: as they look, by code point."""
    return " + ".join(map(_name_one, characters)) or "nothing"


def _name_one(character: str) -> str:
    if character == " ":
        return "a space"
    if "!" <= character <= "~":
        return character
    code = f"U+{ord(character):04X}"
    seen = unicodedata.category(character)[0] in _SEEN
    return f"{character} ({code})" if seen else code
