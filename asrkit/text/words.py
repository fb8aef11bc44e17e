"""Whole words as tokens: what n-grams over words count."""

from collections.abc import Iterable

from asrkit.text.tokenizer import SPECIAL_PIECES, UNK_ID


class WordList:
    """Numbers words as a tokenizer numbers its pieces, the special ones first.

    Args:
        words: Each counts once.
    """

    def __init__(self, words: Iterable[str]) -> None:
        self.tokens = list(dict.fromkeys([*SPECIAL_PIECES, *words]))
        self.ids = {word: index for index, word in enumerate(self.tokens)}

    @property
    def vocab_size(self) -> int:
        """Number of words with the special pieces."""
        return len(self.tokens)

    def encode(self, text: str) -> list[int]:
        """Return the id of each word, that of `<unk>` for what is not in the list."""
        return [self.ids.get(word, UNK_ID) for word in text.split()]

    def missing(self, text: str) -> list[str]:
        """List the words of the text that are not in the list, sorted, each once."""
        return sorted(set(text.split()) - self.ids.keys())
