"""Opens a tokenizer's lexicon, and the n-gram over its words, for a search."""

from pathlib import Path

import torch

from asrkit.decoding.fusion.fusion import FusionConfig
from asrkit.decoding.fusion.lexicon import LexiconScorer
from asrkit.models.lm.ngram_lm import load_word_lm
from asrkit.text.phone import PhoneTokenizer
from asrkit.text.tokenizer import Tokenizer
from asrkit.text.words import WordList
from asrkit.utils.errors import InputError


def open_lexicon(
    config: FusionConfig, tokenizer: Tokenizer, device: torch.device
) -> LexiconScorer | None:
    """Make what keeps a search to words; None where there is no lexicon or none wanted.

    Raises:
        InputError: A lexicon is asked for and the tokenizer has none, or the language
            model is missing, malformed or over other words.
    """
    if not isinstance(tokenizer, PhoneTokenizer):
        if config.lexicon or config.word_lm is not None:
            key = "lexicon=true" if config.word_lm is None else "word_lm"
            raise InputError(
                f"decode.fusion.{key} needs a lexicon, which this run's tokenizer does "
                "not have (tokenizer=phone has one); a language model over its tokens "
                "goes with decode.fusion.lm"
            )
        return None
    if config.lexicon is False:
        return None
    lexicon = tokenizer.lexicon()
    words = WordList(lexicon)
    lm = None
    if config.word_lm is not None:
        if not is_arpa(config.word_lm):
            raise InputError(
                f"decode.fusion.word_lm={config.word_lm} has to be an n-gram over "
                "words, *.arpa or *.arpa.gz; scripts/train_ngram.py --words trains one"
            )
        lm = load_word_lm(Path(config.word_lm), words.tokens)
    scorer = LexiconScorer(
        lexicon, words, tokenizer.vocab_size, lm, scale=config.word_lm_scale
    )
    return scorer.to(device)


def is_arpa(path: str) -> bool:
    """Say whether a file is an n-gram, by its name."""
    return path.removesuffix(".gz").endswith(".arpa")
