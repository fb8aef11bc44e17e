"""Builds what takes part in a search besides the recognizer."""

from dataclasses import replace
from pathlib import Path

import torch

from asrkit.decoding.fusion.biasing import PhraseBoost
from asrkit.decoding.fusion.fusion import Fusion, FusionConfig, Scorer
from asrkit.decoding.fusion.internal_lm import InternalLm
from asrkit.decoding.fusion.lexicon import LexiconScorer
from asrkit.decoding.fusion.lexicon_search import LexiconSearch
from asrkit.decoding.fusion.rescoring import RescoringSearch
from asrkit.decoding.search import Search, SearchConfig
from asrkit.models.asr_model import AsrModel
from asrkit.models.lm.language_model import LanguageModel
from asrkit.models.lm.ngram_lm import NgramLm, load_ngram_lm
from asrkit.pipeline.decode.lexicon import is_arpa, open_lexicon
from asrkit.pipeline.decode.lm import load_lm
from asrkit.text.ngram.arpa import OtherTokensError
from asrkit.text.phone import PhoneTokenizer
from asrkit.text.tokenizer import Tokenizer
from asrkit.utils.errors import InputError


def build_search(
    config: SearchConfig,
    model: AsrModel,
    tokenizer: Tokenizer,
    device: torch.device,
) -> Search:
    """Make a search with the language models and phrases that it names.

    Raises:
        InputError: One of their files is missing, damaged, or over other tokens.
    """
    settings = config.fusion
    if not config.has_beam and settings.word_lm is None:
        # A beam is what it takes to get along with a lexicon, unless one is asked for.
        settings = replace(settings, lexicon=bool(settings.lexicon))
    fusion = build_fusion(settings, model, tokenizer, device)
    search = config.build(fusion)
    for scorer, _ in fusion.parts:
        if isinstance(scorer, LexiconScorer):
            search = LexiconSearch(search, scorer)
    if config.rescoring is None:
        return search
    path, scale = config.rescoring
    lm = open_lm(path, tokenizer, device)
    return RescoringSearch(search, lm, scale)


def build_fusion(
    config: FusionConfig,
    model: AsrModel,
    tokenizer: Tokenizer,
    device: torch.device,
) -> Fusion:
    """Load what a search adds to its scores."""
    parts: list[tuple[Scorer, float]] = []
    if config.lm is not None:
        lm = open_lm(config.lm, tokenizer, device)
        parts.append((lm, config.lm_scale))
    if config.ilm_scale:
        parts.append((InternalLm(model), -config.ilm_scale))
    if config.lodr is not None:
        lm = open_lm(config.lodr, tokenizer, device)
        parts.append((lm, -config.lodr_scale))
    lexicon = open_lexicon(config, tokenizer, device)
    if lexicon is not None:
        parts.append((lexicon, 1.0))
    if config.phrases is not None:
        phrases, boosts = read_phrases(
            Path(config.phrases), tokenizer, config.phrase_boost
        )
        parts.append((PhraseBoost(phrases, boosts, tokenizer.vocab_size), 1.0))
    return Fusion(parts)


def open_lm(
    path: str, tokenizer: Tokenizer, device: torch.device
) -> NgramLm | LanguageModel:
    """Load an n-gram (*.arpa, *.arpa.gz) or a neural model's checkpoint or folder."""
    if is_arpa(path):
        try:
            return load_ngram_lm(Path(path), tokenizer.tokens).to(device)
        except OtherTokensError as error:
            if not isinstance(tokenizer, PhoneTokenizer):
                raise
            raise InputError(
                f"{error}; if it is over words, give it as decode.fusion.word_lm={path}"
            ) from error
    return load_lm(Path(path), device, tokenizer=tokenizer)


def read_phrases(
    path: Path, tokenizer: Tokenizer, boost: float
) -> tuple[list[list[int]], list[float]]:
    """Read phrases as token ids, and the boost of each phrase's tokens.

    A line is a phrase, or a phrase, a tab and its own boost.

    Raises:
        InputError: The file cannot be read, or a line is not a phrase.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the phrases in {path}: {error}") from error
    phrases, boosts = [], []
    for number, line in enumerate(lines, start=1):
        text, _, own = line.partition("\t")
        if not text.strip():
            continue
        tokens = tokenizer.encode(text.strip())
        unknown = tokenizer.missing(text.strip())
        if unknown:
            raise InputError(
                f"{path}, line {number}: the tokenizer lacks {', '.join(unknown)} in "
                f"{text.strip()!r}; write phrases as the transcripts are written"
            )
        try:
            boosts.append(float(own) if own else boost)
        except ValueError:
            raise InputError(
                f"{path}, line {number}: {own!r} is not a boost; write PHRASE, a tab "
                "and a number"
            ) from None
        phrases.append(tokens)
    if not phrases:
        raise InputError(f"{path} holds no phrase; write one a line")
    return phrases, boosts
