"""Phones as tokens, through a pronunciation lexicon."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from asrkit.text.pronunciation.lexicon import WORD_END, parse_pronunciations
from asrkit.text.tokenizer import (
    SPECIAL_PIECES,
    TOKENS_FILE,
    UNK_ID,
    Tokenizer,
    TokenizerConfig,
    format_tokens,
)
from asrkit.utils.errors import InputError

LEXICON_FILE = "lexicon.txt"
_UNK = SPECIAL_PIECES[UNK_ID]


class PhoneTokenizer(Tokenizer):
    """One token a phone; the last phone of a word is a piece of its own (`AH#`).

    The end-of-word pieces are those of Zhou et al., "Phoneme based neural transducer
    for large vocabulary speech recognition" (ICASSP 2021): they say where a word ends,
    so that the lexicon turns phones back into words. A word is encoded by its first
    pronunciation. Of homophones the first one of the lexicon is decoded, and one whose
    first pronunciation it is before the others; phones that make no word give `<unk>`.

    Args:
        tokens: The piece of each id, the special pieces first.
        lexicon: Content of the lexicon file, see `parse_pronunciations`.

    Raises:
        InputError: The lexicon is malformed or has a phone that is no token.
    """

    def __init__(self, tokens: list[str], lexicon: bytes) -> None:
        self.tokens = tokens
        self._lexicon = lexicon
        ids = {piece: index for index, piece in enumerate(tokens)}
        self._ids_of: dict[str, list[list[int]]] = {}
        for word, ways in parse_pronunciations(LEXICON_FILE, lexicon).items():
            pieces = [_mark_end(phones) for phones in ways]
            lacking = [piece for way in pieces for piece in way if piece not in ids]
            if lacking:
                raise InputError(
                    f"{LEXICON_FILE}: word {word!r} needs {lacking[0]!r}, which "
                    f"{TOKENS_FILE} lacks; train the tokenizer with this lexicon"
                )
            self._ids_of[word] = [[ids[piece] for piece in way] for way in pieces]
        self._word_of = _invert(self._ids_of)
        decoded = {word: self._word_of[tuple(w[0])] for word, w in self._ids_of.items()}
        self._others = {word: one for word, one in decoded.items() if word != one}

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text: never blank, `<unk>` for what is missing."""
        ids: list[int] = []
        for word in text.split():
            ids.extend(self._ids_of[word][0] if word in self._ids_of else [UNK_ID])
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
        return index == UNK_ID or self.tokens[index].endswith(WORD_END)

    def missing(self, text: str) -> list[str]:
        """List the words of the text that the lexicon lacks."""
        return sorted(set(text.split()) - self._ids_of.keys())

    def gives_back(self, text: str, ids: Sequence[int]) -> bool:
        """Say whether all words are in the lexicon: they or homophones come back."""
        return UNK_ID not in ids

    def homophones(self, text: str) -> list[tuple[str, str]]:
        """List the words of a text for which another one of the lexicon is decoded."""
        others = self._others
        return [(word, others[word]) for word in text.split() if word in others]

    def lexicon(self) -> dict[str, list[list[int]]]:
        """Return all pronunciations of each word, as token ids, the first one first."""
        return self._ids_of

    def files(self) -> dict[str, bytes]:
        """Return tokens.txt and the lexicon."""
        return {TOKENS_FILE: format_tokens(self.tokens), LEXICON_FILE: self._lexicon}


@dataclass(kw_only=True)
class PhoneTokenizerConfig(TokenizerConfig):
    """Take the phones of a lexicon as tokens."""

    lexicon: str
    """Path of the lexicon: lines `WORD PHONE PHONE ...`, also as CMUdict, Kaldi and
    MFA write them."""

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
                f"tokenizer.lexicon: cannot read {path}: {error.strerror}; "
                "scripts/make_lexicon.py makes one"
            ) from error
        words = parse_pronunciations(str(path), content)
        pieces = {
            piece for ways in words.values() for way in ways for piece in _mark_end(way)
        }
        return PhoneTokenizer(SPECIAL_PIECES + sorted(pieces), content)


def _mark_end(phones: list[str]) -> list[str]:
    return [*phones[:-1], phones[-1] + WORD_END]


def _invert(ids_of: dict[str, list[list[int]]]) -> dict[tuple[int, ...], str]:
    """Map pronunciations to words: what comes first for a word before what is rare."""
    word_of: dict[tuple[int, ...], str] = {}
    for word, (first, *_) in ids_of.items():
        word_of.setdefault(tuple(first), word)
    for word, (_, *others) in ids_of.items():
        for way in others:
            word_of.setdefault(tuple(way), word)
    return word_of
