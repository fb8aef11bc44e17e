"""Phones as tokens, through a pronunciation lexicon."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from asrkit.text.tokenizer import (
    SPECIAL_PIECES,
    TOKENS_FILE,
    UNK_ID,
    Tokenizer,
    TokenizerConfig,
    decode_utf8,
    format_tokens,
)
from asrkit.utils.errors import InputError

LEXICON_FILE = "lexicon.txt"
_WORD_END = "#"
_UNK = SPECIAL_PIECES[UNK_ID]


class PhoneTokenizer(Tokenizer):
    """One token a phone; the last phone of a word is a piece of its own (`AH#`).

    The end-of-word pieces are those of Zhou et al., "Phoneme based neural transducer
    for large vocabulary speech recognition" (ICASSP 2021): they say where a word ends,
    so that the lexicon turns phones back into words. Of homophones the first one of
    the lexicon is taken; phones that make no word give `<unk>`.

    Args:
        tokens: The piece of each id, the special pieces first.
        lexicon: Content of the lexicon file, see `parse_lexicon`.

    Raises:
        InputError: The lexicon is malformed or has a phone that is no token.
    """

    def __init__(self, tokens: list[str], lexicon: bytes) -> None:
        self.tokens = tokens
        self._lexicon = lexicon
        ids = {piece: index for index, piece in enumerate(tokens)}
        self._ids_of: dict[str, list[int]] = {}
        self._word_of: dict[tuple[int, ...], str] = {}
        for word, pieces in parse_lexicon(LEXICON_FILE, lexicon).items():
            lacking = [piece for piece in pieces if piece not in ids]
            if lacking:
                raise InputError(
                    f"{LEXICON_FILE}: word {word!r} needs {lacking[0]!r}, which "
                    f"{TOKENS_FILE} lacks; train the tokenizer with this lexicon"
                )
            word_ids = [ids[piece] for piece in pieces]
            self._ids_of[word] = word_ids
            self._word_of.setdefault(tuple(word_ids), word)

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text: never blank, `<unk>` for what is missing."""
        ids: list[int] = []
        for word in text.split():
            ids.extend(self._ids_of.get(word, [UNK_ID]))
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """Return the words of a phone sequence; blank and `<sos/eos>` are dropped."""
        words = []
        phones: list[int] = []
        for index in ids:
            if index < UNK_ID:
                continue
            phones.append(index)
            if self._ends_word(index):
                words.append(self._word_of.get(tuple(phones), _UNK))
                phones = []
        if phones:  # The end of the last word is missing.
            words.append(_UNK)
        return " ".join(words)

    def word_spans(self, ids: Sequence[int]) -> list[range]:
        """Return the positions of each word: up to the phone that ends it."""
        ends = [i + 1 for i, index in enumerate(ids) if self._ends_word(index)]
        # The end of the last word may be missing.
        ends = sorted({0, *ends, len(ids)})
        return [range(*word) for word in pairwise(ends)]

    def _ends_word(self, index: int) -> bool:
        return index == UNK_ID or self.tokens[index].endswith(_WORD_END)

    def missing(self, text: str) -> list[str]:
        """List the words of the text that the lexicon lacks."""
        return sorted(set(text.split()) - self._ids_of.keys())

    def files(self) -> dict[str, bytes]:
        """Return tokens.txt and the lexicon."""
        return {TOKENS_FILE: format_tokens(self.tokens), LEXICON_FILE: self._lexicon}


@dataclass(kw_only=True)
class PhoneTokenizerConfig(TokenizerConfig):
    """Take the phones of a lexicon as tokens."""

    lexicon: str
    """Path of the lexicon: lines `WORD PHONE PHONE ...`."""

    @property
    def name(self) -> str:
        """`lang_phone`."""
        return "lang_phone"

    def train(self, texts: Iterable[str]) -> PhoneTokenizer:
        """Collect the phones of the lexicon; the transcripts are not needed.

        All of the lexicon counts, so that words outside the training transcripts can
        be recognized.

        Raises:
            InputError: The lexicon cannot be read, is malformed or empty.
        """
        path = Path(self.lexicon)
        try:
            content = path.read_bytes()
        except OSError as error:
            raise InputError(
                f"tokenizer.lexicon: cannot read {path}: {error.strerror}"
            ) from error
        words = parse_lexicon(str(path), content)
        pieces = {piece for pronunciation in words.values() for piece in pronunciation}
        return PhoneTokenizer(SPECIAL_PIECES + sorted(pieces), content)


def parse_lexicon(name: str, content: bytes) -> dict[str, list[str]]:
    """Read the pieces of each word, the last one with the word-end mark.

    A line is a word and its phones, separated by blanks or tabs. Blank lines and lines
    that begin with `#` are skipped; of several lines for a word the first one counts.

    Args:
        name: Name of the file, for messages.
        content: What is in it.

    Raises:
        InputError: A line has no phone, or a phone that ends in the word-end mark or
            is a special piece; or there is no word at all.
    """
    words: dict[str, list[str]] = {}
    for number, line in enumerate(decode_utf8(name, content).splitlines(), start=1):
        word, *phones = line.split() or ["#"]
        if word.startswith("#"):
            continue
        _check_phones(f"{name}, line {number}", word, phones)
        words.setdefault(word, [*phones[:-1], phones[-1] + _WORD_END])
    if not words:
        raise InputError(f"{name} has no words; write lines like 'HELLO HH AH L OW'")
    return words


def _check_phones(where: str, word: str, phones: list[str]) -> None:
    if not phones:
        raise InputError(
            f"{where}: word {word!r} has no phones; write them after the word"
        )
    for phone in phones:
        if phone.endswith(_WORD_END) or phone in SPECIAL_PIECES:
            raise InputError(
                f"{where}: {phone!r} cannot be a phone, since names that end in "
                f"{_WORD_END!r} and {SPECIAL_PIECES} have a meaning; rename it"
            )
