"""Byte-pair encoding through sentencepiece, with the ids that icefall uses."""

import io
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import sentencepiece

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
        """Return the text of a label sequence; blank and `<sos/eos>` are dropped."""
        return self._processor.decode([index for index in ids if index >= UNK_ID])

    def word_spans(self, ids: Sequence[int]) -> list[range]:
        """Return the positions of each word: it starts where its first piece says."""
        starts = [
            position
            for position, index in enumerate(ids)
            if position == 0 or self.tokens[index].startswith(_WORD_START)
        ]
        return [range(*ends) for ends in pairwise([*starts, len(ids)])]

    def missing(self, text: str) -> list[str]:
        """List the characters of the text that no piece covers."""
        # Normalized as in encode, so that a composed letter counts as one.
        characters = set(self._processor.normalize(text))
        return sorted(
            character
            for character in characters
            if self._processor.piece_to_id(character) == UNK_ID
        )

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

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_range(self, "tokenizer", "vocab_size", above=len(SPECIAL_PIECES))

    @property
    def name(self) -> str:
        """`lang_bpe_` and the number of pieces asked for."""
        return f"lang_bpe_{self.vocab_size}"

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
        tokenizer = BpeTokenizer(_train_model(sentences, self.vocab_size))
        if tokenizer.vocab_size < self.vocab_size:
            _log.warning(
                "%d transcripts give %d BPE pieces, fewer than tokenizer.vocab_size=%d",
                len(sentences),
                tokenizer.vocab_size,
                self.vocab_size,
            )
        return tokenizer


def _train_model(sentences: list[str], vocab_size: int) -> bytes:
    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(sentences),
            model_writer=model,
            model_type="bpe",
            vocab_size=vocab_size,
            # A soft limit: too small a corpus gives fewer pieces, not an error.
            hard_vocab_limit=False,
            character_coverage=1.0,
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
