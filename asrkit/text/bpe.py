"""Byte-pair encoding through sentencepiece, with the ids that icefall uses."""

import io
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import sentencepiece

from asrkit.text.byte_pieces import NUM_BYTES, begun_by
from asrkit.text.characters import is_han_or_kana, is_mark
from asrkit.text.tokenizer import (
    SPECIAL_PIECES,
    TOKENS_FILE,
    UNK_ID,
    Tokenizer,
    TokenizerConfig,
    format_tokens,
)
from asrkit.utils.errors import InputError
from asrkit.utils.ranges import check_range

MODEL_FILE = "bpe.model"
VOCAB_FILE = "bpe.vocab"
_WORD_START = "▁"
# Sentencepiece drops longer sentences without a word; this is the most it accepts.
_LONGEST_SENTENCE = 1 << 30

_log = logging.getLogger(__name__)


class BpeTokenizer(Tokenizer):
    """Pieces of words that sentencepiece found by byte-pair encoding.

    Args:
        model: Content of a sentencepiece model file.

    Raises:
        InputError: The content is no such model, or ids 0, 1, 2 are not the
            special pieces.
    """

    def __init__(self, model: bytes) -> None:
        try:
            processor = sentencepiece.SentencePieceProcessor(model_proto=model)
        except RuntimeError as error:
            raise InputError(
                f"{MODEL_FILE} is not a sentencepiece model; train the tokenizer again"
            ) from error
        self._model = model
        self._processor = processor
        self.tokens = [
            processor.id_to_piece(index) for index in range(processor.vocab_size())
        ]
        if self.tokens[: len(SPECIAL_PIECES)] != SPECIAL_PIECES:
            raise InputError(
                f"{MODEL_FILE}: the first pieces are "
                f"{self.tokens[: len(SPECIAL_PIECES)]}, expected {SPECIAL_PIECES}"
            )

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text: never blank, `<unk>` for what is missing."""
        return self._processor.encode(" ".join(text.split()))

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of a label sequence; blank and `<sos/eos>` are dropped.

        U+FFFD stands for each byte that is part of no character.
        """
        text = self._processor.decode([index for index in ids if index >= UNK_ID])
        return " ".join(text.split())  # bytes can be a line's end

    def word_spans(self, ids: Sequence[int]) -> list[range]:
        """Return the positions of each word: it starts where its first piece says.

        A piece that begins or ends with Han or kana is a word of its own.
        """
        starts: list[int] = []
        last = ""  # character that is no mark
        pieces = [self.tokens[index] for index in ids]
        for position, here in enumerate(begun_by(pieces)):
            if here and (not starts or _starts_word(here[0], last)):
                starts.append(position)
            last = next((code for code in reversed(here) if not is_mark(code)), last)
        return [range(*ends) for ends in pairwise([*starts, len(ids)])]

    def missing(self, text: str) -> list[str]:
        """List the characters of the text that no piece covers."""
        # Normalized as in encode, so that a composed letter counts as one.
        characters = set(self._processor.normalize(text))
        encode = self._processor.encode
        return sorted(one for one in characters if UNK_ID in encode(one))

    def files(self) -> dict[str, bytes]:
        """Return the sentencepiece model and tokens.txt."""
        return {MODEL_FILE: self._model, TOKENS_FILE: format_tokens(self.tokens)}

    def hotword_files(self) -> dict[str, bytes]:
        """Return sentencepiece's table of pieces and scores."""
        scores = map(self._processor.get_score, range(self.vocab_size))
        rows = zip(self.tokens, scores, strict=True)
        return {VOCAB_FILE: "".join(f"{p}\t{score:g}\n" for p, score in rows).encode()}


@dataclass(kw_only=True)
class BpeTokenizerConfig(TokenizerConfig):
    """Train a BPE tokenizer on the training transcripts."""

    vocab_size: int = 500
    """Number of pieces, `<blk>`, `<sos/eos>` and `<unk>` included; a corpus too small
    for that many gets as many as it has."""
    byte_fallback: bool = False
    """Spell characters that are no piece by 256 pieces for the bytes of UTF-8, which
    `vocab_size` counts: nothing is unknown."""
    character_coverage: float = 1.0
    """Share of the transcripts' characters that are made pieces, the commonest first;
    sentencepiece wants at least 0.98. Without `byte_fallback` training leaves out
    utterances with any other."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        least = len(SPECIAL_PIECES) + (NUM_BYTES if self.byte_fallback else 0)
        check_range(self, "tokenizer", "vocab_size", above=least)
        check_range(self, "tokenizer", "character_coverage", least=0.98, most=1)

    @property
    def name(self) -> str:
        """`lang_bpe_`, the number of pieces asked for, and what is not the default."""
        coverage = self.character_coverage
        covered = f"_coverage_{coverage:g}" if coverage < 1 else ""
        return f"lang_bpe_{self.vocab_size}{'_bytes' * self.byte_fallback}{covered}"

    def train(self, texts: Iterable[str]) -> BpeTokenizer:
        """Train on transcripts; the same transcripts give the same model.

        Raises:
            InputError: There is no text, or `vocab_size` is smaller than the number
                of different characters.
        """
        # Of a sentence with U+2585 sentencepiece would learn nothing at all.
        sentences = [" ".join(text.replace("▅", " ").split()) for text in texts]
        sentences = [sentence for sentence in sentences if sentence]
        if not sentences:
            raise InputError(
                "cannot train a BPE tokenizer: every training transcript is empty; "
                "check the training manifests"
            )
        model = _train_model(
            sentences,
            self.vocab_size,
            byte_fallback=self.byte_fallback,
            character_coverage=self.character_coverage,
        )
        tokenizer = BpeTokenizer(model)
        if tokenizer.vocab_size < self.vocab_size:
            _log.warning(
                "%d transcripts give %d BPE pieces, fewer than tokenizer.vocab_size=%d",
                len(sentences),
                tokenizer.vocab_size,
                self.vocab_size,
            )
        return tokenizer


def _starts_word(first: str, last: str) -> bool:
    """Say whether a character begins a word after another one, "" at the beginning."""
    if first == _WORD_START or first.isspace():
        return True
    if is_mark(first) or last == _WORD_START:
        return False
    return is_han_or_kana(first) or (last != "" and is_han_or_kana(last))


def _train_model(
    sentences: list[str],
    vocab_size: int,
    *,
    byte_fallback: bool,
    character_coverage: float,
) -> bytes:
    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(sentences),
            model_writer=model,
            model_type="bpe",
            vocab_size=vocab_size,
            # A soft limit: too small a corpus gives fewer pieces, not an error.
            hard_vocab_limit=False,
            character_coverage=character_coverage,
            byte_fallback=byte_fallback,
            # Its default, nmt_nfkc, would write other characters than the transcripts
            # have, which are what is scored: no U+200C in Persian, no composed letters.
            normalization_rule_name="identity",
            # Icefall makes these user-defined; control symbols get the same ids, but
            # a transcript that spells "<blk>" out can then never yield blank.
            control_symbols=SPECIAL_PIECES[:UNK_ID],
            unk_id=UNK_ID,
            unk_surface=SPECIAL_PIECES[UNK_ID],
            bos_id=-1,
            eos_id=-1,
            max_sentence_length=_LONGEST_SENTENCE,
            minloglevel=2,
        )
    except RuntimeError as error:
        raise InputError(
            f"cannot train a BPE tokenizer with tokenizer.vocab_size={vocab_size}, "
            f"raise it or use tokenizer=char; sentencepiece says: {error}"
        ) from error
    return model.getvalue()
