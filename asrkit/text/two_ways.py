"""Letters that texts write in two ways: é as one character, and as e and an accent."""

import unicodedata
from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Letters:
    """What texts have of letters that Unicode can write in two ways."""

    whole: set[str] = field(default_factory=set)
    """All characters other than ASCII's."""
    apart: Counter[str] = field(default_factory=Counter)
    """Letters written in the other way, by the whole ones: number of texts."""

    def add(self, text: str) -> None:
        """Look at one more text."""
        if text.isascii():
            return
        self.whole.update(text)
        if not unicodedata.is_normalized("NFC", text):
            composed = Counter(unicodedata.normalize("NFC", text)) - Counter(text)
            self.apart.update(one for one in composed if _has_parts(one))

    def join(self, other: "Letters") -> None:
        """Take in what other texts have."""
        self.whole |= other.whole
        self.apart.update(other.apart)

    def in_two_ways(self) -> Counter[str]:
        """Return the letters written in both ways: number of texts in the other."""
        return Counter({one: n for one, n in self.apart.items() if one in self.whole})


def _has_parts(letter: str) -> bool:
    return unicodedata.normalize("NFD", letter) != letter
