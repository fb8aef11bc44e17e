"""What every neural language model over the recognizer's tokens offers."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from asrkit.text.tokenizer import BOUNDARY

State = tuple[Tensor, ...]
"""Of N hypotheses; the first dimension of every tensor is the hypothesis."""


@dataclass(kw_only=True)
class LanguageModelConfig:
    """Base class of the language models' settings."""

    kind: ClassVar[str]
    """What it is called where people read."""

    @abstractmethod
    def build(self, vocab_size: int) -> "LanguageModel":
        """Make the model for a vocabulary of `vocab_size` tokens with blank."""


class LanguageModel(nn.Module, ABC):
    """P(next token | tokens so far), the end of the sentence being a token.

    Subclasses map embedded tokens to vectors of the same dimension, whole sentences
    at once (`contexts`) and token by token (`first`, `step`). The embedding is the
    weight of the output layer, too (Press and Wolf, 2017), behind a projection: without
    it the Transformer, whose input reaches its output directly, begins by predicting
    the token that it has just read.

    A state's last tensor is what the model expects next, log-probabilities (N, V);
    `index_select` on every tensor's first dimension reorders the hypotheses.

    Args:
        vocab_size: Tokens with blank, V.
        dim: Dimension of the embedding, D.
    """

    def __init__(self, vocab_size: int, dim: int) -> None:
        super().__init__()
        self.vocab_size = vocab_size
        self.embedding = nn.Embedding(vocab_size, dim)
        nn.init.normal_(self.embedding.weight, std=dim**-0.5)
        self.output_proj = nn.Linear(dim, dim, bias=False)
        self.output_bias = nn.Parameter(torch.zeros(vocab_size))

    def forward(self, tokens: Tensor, token_lens: Tensor) -> Tensor:
        """Predict after every prefix of sentences.

        Args:
            tokens: (B, U), int64.
            token_lens: (B,), int64; no output that counts depends on what lies past it.

        Returns:
            Logits (B, U + 1, V); row u has read <s> and the first u tokens, and only
            rows 0 to token_lens count.
        """
        return self.project(self.contexts(self.embed(F.pad(tokens, (1, 0)))))

    def log_prob(self, tokens: Tensor, token_lens: Tensor) -> Tensor:
        """Return the natural logarithm of the sentences' probabilities, (B,).

        The probability of ending after the last token is part of it.
        """
        losses = sentence_losses(self(tokens, token_lens), tokens, token_lens)
        return -losses.sum(dim=1)

    @torch.no_grad()
    def start(self, count: int, device: torch.device) -> State:
        """Return the state of `count` hypotheses that have no token yet."""
        begin = torch.full((count,), BOUNDARY, dtype=torch.int64, device=device)
        *memory, context = self.step(self.first(count, device), self.embed(begin))
        return (*memory, self.predict(context))

    def scores(self, state: State) -> Tensor:
        """Return the log-probabilities (N, V) of the next token; 0 for blank.

        Those of the tokens do not sum to 1: the rest is that of </s> (`final`).
        """
        scores = state[-1].clone()
        scores[:, BOUNDARY] = 0.0
        return scores

    @torch.no_grad()
    def advance(self, state: State, labels: Tensor) -> State:
        """Append a token to each hypothesis.

        Args:
            state: Of N hypotheses; it stays valid.
            labels: (N,), int64; a hypothesis whose label is 0 (blank) stays as it is.
        """
        *memory, expected = state
        emitted = labels != BOUNDARY
        *stepped, context = self.step(tuple(memory), self.embed(labels))
        expected = torch.where(emitted[:, None], self.predict(context), expected)
        return (*self.keep(emitted, tuple(stepped), tuple(memory)), expected)

    def final(self, state: State) -> Tensor:
        """Return the log-probability (N,) of ending here, of </s>."""
        return state[-1][:, BOUNDARY]

    def embed(self, tokens: Tensor) -> Tensor:
        """Embed tokens (...) as vectors (..., D) whose entries are about 1."""
        return self.embedding(tokens) * self.embedding.embedding_dim**0.5

    def project(self, contexts: Tensor) -> Tensor:
        """Map vectors (..., D) to logits (..., V)."""
        projected = self.output_proj(contexts)
        return F.linear(projected, self.embedding.weight, self.output_bias)

    def predict(self, contexts: Tensor) -> Tensor:
        """Map vectors (N, D) to log-probabilities (N, V)."""
        return at_least_float32(self.project(contexts)).log_softmax(dim=-1)

    @abstractmethod
    def contexts(self, embedded: Tensor) -> Tensor:
        """Map (B, U, D) to (B, U, D); row u depends on rows 0 to u."""

    @abstractmethod
    def first(self, count: int, device: torch.device) -> State:
        """Return what `count` hypotheses remember before <s>."""

    @abstractmethod
    def step(self, memory: State, embedded: Tensor) -> State:
        """Read one token each, (N, D); return the memory and the context (N, D)."""

    @abstractmethod
    def keep(self, emitted: Tensor, stepped: State, memory: State) -> State:
        """Return `stepped` where `emitted` (N,), and `memory` elsewhere."""


def sentence_losses(logits: Tensor, tokens: Tensor, token_lens: Tensor) -> Tensor:
    """Return the cross entropy of each token and of </s>, 0 past it.

    Args:
        logits: (B, U + 1, V).
        tokens: (B, U), int64.
        token_lens: (B,), int64.

    Returns:
        (B, U + 1), float32 or better.
    """
    rows = torch.arange(logits.shape[1], device=tokens.device)
    targets = F.pad(tokens, (0, 1)).masked_fill(rows == token_lens[:, None], BOUNDARY)
    targets = targets.masked_fill(rows > token_lens[:, None], _IGNORED)
    losses = F.cross_entropy(
        at_least_float32(logits).flatten(0, 1),
        targets.flatten(),
        ignore_index=_IGNORED,
        reduction="none",
    )
    return losses.view_as(targets)


_IGNORED = -100


def at_least_float32(x: Tensor) -> Tensor:
    """Return x in float32, or as it is when it is in float64."""
    return x.to(torch.promote_types(x.dtype, torch.float32))
