"""N-best rescoring: whole hypotheses, scored by a language model after the search."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import torch
from torch import Tensor

from asrkit.decoding.search import Hypothesis, NBest, Search
from asrkit.models.asr_model import AsrModel

_AT_ONCE = 256  # sentences


class SentenceModel(Protocol):
    """A language model that scores sentences."""

    def log_prob(self, tokens: Tensor, token_lens: Tensor) -> Tensor:
        """Return log-probabilities of tokens (B, U) of token_lens (B,), (B,)."""
        ...


class RescoringSearch:
    """Sorts another search's n-best lists anew.

    Args:
        search: Gives the lists.
        lm: Language model.
        scale: Weight of its log-probabilities.
    """

    def __init__(self, search: Search, lm: SentenceModel, scale: float) -> None:
        self.search = search
        self.lm = lm
        self.scale = scale

    def __call__(
        self, model: AsrModel, enc_out: Tensor, enc_lens: Tensor
    ) -> list[NBest]:
        """Search enc_out (B, T, D) of enc_lens (B,)."""
        nbests = self.search(model, enc_out, enc_lens)
        sentences = [one.tokens for nbest in nbests for one in nbest]
        added = iter(score_sentences(self.lm, sentences, enc_out.device))
        return [
            sorted((self._add(one, next(added)) for one in nbest), key=_worst_last)
            for nbest in nbests
        ]

    def _add(self, one: Hypothesis, log_prob: float) -> Hypothesis:
        return replace(one, score=one.score + self.scale * log_prob)


def _worst_last(one: Hypothesis) -> float:
    return -one.score


@torch.inference_mode()
def score_sentences(
    lm: SentenceModel, sentences: Sequence[Sequence[int]], device: torch.device
) -> list[float]:
    """Return the log-probability of each sentence of token ids."""
    scores: list[float] = []
    for start in range(0, len(sentences), _AT_ONCE):
        rows = [
            torch.tensor(s, dtype=torch.int64) for s in sentences[start:][:_AT_ONCE]
        ]
        lens = torch.tensor([len(row) for row in rows])
        tokens = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
        scores += lm.log_prob(tokens.to(device), lens.to(device)).tolist()
    return scores
