"""Scores that take part in a search besides the recognizer's own."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from asrkit.utils.ranges import check_range

State = tuple[Tensor, ...]
"""Of a scorer: tensors whose first dimension is the hypothesis, N."""


class Scorer(Protocol):
    """Scores the next label of many hypotheses at once."""

    def start(self, count: int, device: torch.device) -> State:
        """Return the states of `count` hypotheses without labels."""
        ...

    def scores(self, state: State) -> Tensor:
        """Return log-scores of the next label, (N, V); 0 for blank."""
        ...

    def advance(self, state: State, labels: Tensor) -> State:
        """Return the states after labels (N,); those with label 0 stay."""
        ...

    def final(self, state: State) -> Tensor:
        """Return the log-score of ending here, (N,)."""
        ...


@dataclass(kw_only=True)
class FusionConfig:
    """Language models and phrases that take part in a search."""

    lm: str | None = None
    """Language model: an n-gram in ARPA format, or a neural one's checkpoint."""
    lm_scale: float = 0.3
    """Weight of the language model's log-probabilities."""
    ilm_scale: float = 0.0
    """Weight with which the internal language model is taken away."""
    lodr: str | None = None
    """Bigram of the training's transcripts in ARPA format, which is taken away."""
    lodr_scale: float = 0.1
    """Weight of that bigram."""
    lexicon: bool | None = None
    """Whether only words of the lexicon of tokenizer=phone are found; null: in beam
    searches, and wherever there is a word_lm."""
    word_lm: str | None = None
    """N-gram over words in ARPA format, for a tokenizer with a lexicon."""
    word_lm_scale: float = 0.5
    """Weight of its log-probabilities."""
    phrases: str | None = None
    """File of phrases to look out for, one a line, optionally a tab and a boost."""
    phrase_boost: float = 0.5
    """Log-score that each token of a phrase gets."""

    def __post_init__(self) -> None:
        """Check the values."""
        scales = ("lm_scale", "ilm_scale", "lodr_scale", "word_lm_scale")
        check_range(self, "decode.fusion", *scales, least=0)
        if self.word_lm is not None and self.lexicon is False:
            raise ValueError(
                "decode.fusion.word_lm needs the lexicon that decode.fusion.lexicon="
                "false leaves out; drop one of them"
            )

    def names(self) -> list[str]:
        """Name what is fused."""
        used = [
            ("" if self.lm is None else lm_name(self.lm), self.lm is not None),
            ("ilm", self.ilm_scale != 0),
            ("lodr", self.lodr is not None),
            ("lexicon", self.lexicon is True),
            ("no_lexicon", self.lexicon is False),
            (f"word_{lm_name(self.word_lm or '')}", self.word_lm is not None),
            ("phrases", self.phrases is not None),
        ]
        return [name for name, is_used in used if is_used]


def lm_name(path: str) -> str:
    """Name a language model by its file or folder: lm_lstm, lm_ngram."""
    stem = Path(path).name.removesuffix(".gz").removesuffix(".arpa").removesuffix(".pt")
    return stem if stem.startswith("lm") else f"lm_{stem}"


class Fusion:
    """A weighted sum of scorers.

    Args:
        parts: Scorers and their weights.
    """

    def __init__(self, parts: Sequence[tuple[Scorer, float]]) -> None:
        self.parts = list(parts)

    def __bool__(self) -> bool:
        """Say whether there is anything to add."""
        return bool(self.parts)

    def start(self, count: int, device: torch.device) -> list[State]:
        """Return the states of hypotheses without labels."""
        return [scorer.start(count, device) for scorer, _ in self.parts]

    def scores(self, states: list[State]) -> Tensor:
        """Return log-scores of the next label, (N, V); 0 for blank."""
        scaled = [
            scale * scorer.scores(state)
            for (scorer, scale), state in zip(self.parts, states, strict=True)
        ]
        return torch.stack(scaled).sum(dim=0)

    def advance(self, states: list[State], labels: Tensor) -> list[State]:
        """Return the states after labels (N,), 0 for none."""
        if not self.parts or not bool((labels > 0).any()):
            return states
        return [
            scorer.advance(state, labels)
            for (scorer, _), state in zip(self.parts, states, strict=True)
        ]

    def final(self, states: list[State]) -> Tensor:
        """Return the log-score of ending, (N,)."""
        scaled = [
            scale * scorer.final(state)
            for (scorer, scale), state in zip(self.parts, states, strict=True)
        ]
        return torch.stack(scaled).sum(dim=0)


NO_FUSION = Fusion([])
"""The recognizer alone."""


def select(states: list[State], index: Tensor) -> list[State]:
    """Pick states of hypotheses."""
    return [tuple(tensor[index] for tensor in state) for state in states]


def concatenate_states(parts: Sequence[list[State]]) -> list[State]:
    """Put the states of several groups of hypotheses behind one another.

    Memories that have grown (of a Transformer) are longer in some groups: the others
    are filled up with zeros, behind what counts.
    """
    return [
        tuple(_concatenate(tensors) for tensors in zip(*states, strict=True))
        for states in zip(*parts, strict=True)
    ]


def _concatenate(tensors: Sequence[Tensor]) -> Tensor:
    sizes = torch.tensor([x.shape[1:] for x in tensors])
    largest = sizes.amax(dim=0).tolist() if sizes.numel() else []
    padded = []
    for x in tensors:
        missing = [n - have for n, have in zip(largest, x.shape[1:], strict=True)]
        pads = [amount for n in reversed(missing) for amount in (0, n)]
        padded.append(torch.nn.functional.pad(x, pads) if any(missing) else x)
    return torch.cat(padded)
