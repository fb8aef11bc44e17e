"""Characters as tokens."""

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from asrkit.text.characters import is_han_or_kana, is_mark, join_words
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


class Spelling(str, Enum):
    """How words are written that are not Han or kana."""

    LETTERS = "letters"
    """Letter by letter."""
    WORDS = "words"
    """Each word is one token, as in speech that switches between languages."""


class CharTokenizer(Tokenizer):
    """One token a character; the space between words is the piece `▁`.

    Between two characters of Chinese or Japanese there is none: a blank there is no
    speech. So the text that comes back has no blanks there, and all others. A word that
    is a piece, as `Spelling.WORDS` makes them, is that one token; another word is
    spelled.

    Args:
        tokens: The piece of each id, the special pieces first.
    """

    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens
        self._ids = {piece: index for index, piece in enumerate(tokens)}
        ordinary = tokens[len(SPECIAL_PIECES) :]
        self._words = {piece for piece in ordinary if len(piece) > 1}

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text: never blank, `<unk>` for what is missing."""
        return [self._ids.get(piece, UNK_ID) for piece in self._split(text)]

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of a label sequence; blank and `<sos/eos>` are dropped."""
        pieces = [self.tokens[index] for index in ids if index >= UNK_ID]
        return join_words("".join(pieces).replace(_SPACE, " ").split())

    def word_spans(self, ids: Sequence[int]) -> list[range]:
        """Return the positions of each word: the characters between two spaces.

        Each character of Chinese or Japanese, with the marks on it, is a word.
        """
        spans: list[range] = []
        open_word = han = False
        for position, index in enumerate(ids):
            piece = self.tokens[index]
            if piece == _SPACE:
                open_word = False
                continue
            marks = open_word and is_mark(piece[0])
            if open_word and (marks or not (han or is_han_or_kana(piece[0]))):
                spans[-1] = range(spans[-1].start, position + 1)
            else:
                spans.append(range(position, position + 1))
            open_word, han = True, han if marks else is_han_or_kana(piece[0])
        return spans

    def missing(self, text: str) -> list[str]:
        """List the characters of the text that are no piece."""
        return sorted(set(self._split(text)) - self._ids.keys())

    def files(self) -> dict[str, bytes]:
        """Return tokens.txt."""
        return {TOKENS_FILE: format_tokens(self.tokens)}

    def _split(self, text: str) -> Iterable[str]:
        written = join_words(text.split(), _SPACE)
        if not self._words:
            return written
        return [
            piece
            for part in _split_words(written)
            for piece in ([part] if part in self._words else part)
        ]


@dataclass(kw_only=True)
class CharTokenizerConfig(TokenizerConfig):
    """Take the characters of the training transcripts as tokens."""

    spelling: Spelling = Spelling.LETTERS
    """Of words that are not Han or kana: LETTERS, or WORDS, each word one token, for
    speech that switches between Chinese and another language. A word that train does
    not have is spelled with those of its letters that are words themselves."""

    @property
    def name(self) -> str:
        """`lang_char`, or `lang_char_words`."""
        return "lang_char" if self.spelling is Spelling.LETTERS else "lang_char_words"

    def train(self, texts: Iterable[str]) -> CharTokenizer:
        """Collect the characters of transcripts, in code point order.

        Raises:
            InputError: There is no text.
        """
        written = (join_words(text.split(), _SPACE) for text in texts)
        divide = _split_words if self.spelling is Spelling.WORDS else iter
        pieces = {piece for text in written for piece in divide(text)}
        if not pieces:
            raise InputError(
                "cannot make a character tokenizer: every training transcript is "
                "empty; check the training manifests"
            )
        return CharTokenizer(SPECIAL_PIECES + sorted(pieces))


def _split_words(written: str) -> Iterator[str]:
    """Return the words that are not Han or kana, and all other characters."""
    word = ""
    for code in written:
        if _is_in_word(code) or (word and is_mark(code)):
            word += code
            continue
        if word:
            yield word
            word = ""
        yield code
    if word:
        yield word


def _is_in_word(code: str) -> bool:
    """Say whether words that are not Han or kana have the character in them."""
    if unicodedata.category(code)[0] not in "LN":
        return code == "'"
    return not is_han_or_kana(code)
