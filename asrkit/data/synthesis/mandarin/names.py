"""Names of two characters each, which make up a large vocabulary."""

import random
from collections.abc import Iterator, Sequence

from asrkit.data.synthesis.espeak import tonal_phonemes

VOICE = "cmn"
"""espeak-ng's Mandarin."""
_TONES = str.maketrans("", "", "12345")


def common_characters() -> list[str]:
    """Return the 3,755 characters of level 1 of GB 2312, its rows 16 to 55."""
    cells = (
        bytes([row, cell]) for row in range(0xB0, 0xD8) for cell in range(0xA1, 0xFF)
    )
    # The last row is not full.
    return [char for two in cells if (char := two.decode("gb2312", errors="ignore"))]


def make_names(words: Sequence[str], count: int) -> list[str]:
    """Pair characters that no word has; each is in one name only.

    No name sounds like another or like a word, even if its tones are not heard.

    Args:
        words: What else is said.
        count: Names to make, the same ones every time.
    """
    taken = set("".join(words))
    rare = [char for char in common_characters() if char not in taken]
    read = zip(rare, tonal_phonemes(rare, VOICE), strict=True)
    usable = [char for char, phonemes in read if phonemes]
    random.Random(0).shuffle(usable)
    names = list(_pair(usable, [_toneless(word) for word in words]))
    return names[:count]


def _pair(characters: list[str], heard: list[str]) -> Iterator[str]:
    seen = set(heard)
    for first, second in zip(characters[::2], characters[1::2], strict=False):
        sound = _toneless(first + second)
        if sound not in seen:
            seen.add(sound)
            yield first + second


def _toneless(word: str) -> str:
    (phonemes,) = tonal_phonemes([word], VOICE)
    return phonemes.translate(_TONES)
