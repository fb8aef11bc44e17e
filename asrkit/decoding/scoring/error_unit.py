"""What an error rate counts: words, characters, or both in one text."""

from collections.abc import Iterable
from enum import Enum

from asrkit.text.characters import split_characters, split_scripts


class ErrorUnit(str, Enum):
    """What errors are counted in."""

    WORD = "word"
    """What stands between blanks: WER."""
    CHARACTER = "character"
    """Characters, each with the marks on it: CER. Blanks are left out on both sides: in
    Chinese they are how somebody cut a text into words, not speech."""
    MIXED = "mixed"
    """For speech that switches between languages, as SEAME is scored: characters of
    scripts written without blanks (Han, kana, Thai...), words of the others: MER."""

    @property
    def rate(self) -> str:
        """Name of the error rate: WER, CER or MER."""
        return f"{self.value[0].upper()}ER"

    @property
    def scalar(self) -> str:
        """Name of the error rate among numbers: wer, cer or mer."""
        return self.rate.lower()

    @property
    def noun(self) -> str:
        """What is counted, one of it."""
        return "token" if self is ErrorUnit.MIXED else self.value

    @property
    def plural(self) -> str:
        """What is counted, several of it."""
        return f"{self.noun}s"

    def divide(self, words: Iterable[str]) -> list[str]:
        """Return what is counted of a text.

        Args:
            words: What stands between its blanks.
        """
        if self is ErrorUnit.WORD:
            return list(words)
        if self is ErrorUnit.CHARACTER:
            return [one for word in words for one in split_characters(word)]
        return [part for word in words for part in split_scripts(word)]


ERROR_RATES = tuple(unit.scalar for unit in ErrorUnit)
"""Names of all error rates among numbers."""
