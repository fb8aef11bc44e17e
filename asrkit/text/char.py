"""Characters as tokens."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from asrkit.text.tokenizer import (
    SPECIAL_PIECES,
    TOKENS_FILE,
    UNK_ID,
    Tokenizer,
    TokenizerConfig,
    format_tokens,
)
from asrkit.utils.errors import InputError

_SPACE = "▁"


class CharTokenizer(Tokenizer):
    """One token a character; the space between words is the piece `▁`.

    Args:
        tokens: The piece of each id, the special pieces first.
    """

    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens
        self._ids = {piece: index for index, piece in enumerate(tokens)}

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text: never blank, `<unk>` for what is missing."""
        return [self._ids.get(piece, UNK_ID) for piece in _split(text)]

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of a label sequence; blank and `<sos/eos>` are dropped."""
        pieces = [self.tokens[index] for index in ids if index >= UNK_ID]
        return " ".join("".join(pieces).replace(_SPACE, " ").split())

    def word_spans(self, ids: Sequence[int]) -> list[range]:
        """Return the positions of each word: the characters between two spaces."""
        spaces = [i for i, index in enumerate(ids) if self.tokens[index] == _SPACE]
        ends = pairwise([-1, *spaces, len(ids)])
        return [range(a + 1, b) for a, b in ends if a + 1 < b]

    def missing(self, text: str) -> list[str]:
        """List the characters of the text that are no piece."""
        return sorted(set(_split(text)) - self._ids.keys())

    def files(self) -> dict[str, bytes]:
        """Return tokens.txt."""
        return {TOKENS_FILE: format_tokens(self.tokens)}


@dataclass(kw_only=True)
class CharTokenizerConfig(TokenizerConfig):
    """Take the characters of the training transcripts as tokens."""

    @property
    def name(self) -> str:
        """`lang_char`."""
        return "lang_char"

    def train(self, texts: Iterable[str]) -> CharTokenizer:
        """Collect the characters of transcripts, in code point order.

        Raises:
            InputError: There is no text.
        """
        pieces = {piece for text in texts for piece in _split(text)}
        if not pieces:
            raise InputError(
                "cannot make a character tokenizer: every training transcript is "
                "empty; check the training manifests"
            )
        return CharTokenizer(SPECIAL_PIECES + sorted(pieces))


def _split(text: str) -> str:
    return _SPACE.join(text.split())
