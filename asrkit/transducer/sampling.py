"""A sampled part of the vocabulary: blank, the labels, and some others."""

from dataclasses import dataclass
from enum import Enum

import torch
from torch import Tensor

from asrkit.transducer.checks import check_tokens
from asrkit.utils.lengths import make_pad_mask


class Scope(str, Enum):
    """Who shares a sample."""

    BATCH = "batch"
    UTTERANCE = "utterance"


@dataclass(frozen=True)
class Vocabulary:
    """Sampled tokens, ascending: blank is the first."""

    ids: Tensor
    """(S,), or (B, S) with a sample for each utterance; int64."""
    log_inclusion: Tensor
    """Log-probability that the token was drawn, like `ids`; 0 for blank and labels."""

    def positions(self, tokens: Tensor) -> Tensor:
        """Replace token ids (B, U) by their places in the sample.

        What is not in the sample (padding may hold anything) becomes some place.
        """
        S = self.ids.shape[-1]
        ids = self.ids if self.ids.ndim == 2 else self.ids.expand(len(tokens), -1)
        found = torch.searchsorted(ids.contiguous(), tokens.contiguous())
        return found.clamp(max=S - 1)


@torch.no_grad()
def sample_vocabulary(
    tokens: Tensor,
    token_lens: Tensor,
    vocab_size: int,
    num_samples: int,
    *,
    scope: Scope | str = Scope.BATCH,
    proposal: Tensor | None = None,
    generator: torch.Generator | None = None,
) -> Vocabulary:
    """Draw tokens besides blank (id 0) and the labels, without replacement.

    Lee, Lee and Watanabe, "Memory-efficient training of RNN-transducer with sampled
    softmax", Interspeech 2022 (arXiv 2203.16868). The draw is Gumbel top-k (Vieira,
    2014), which also tells each token's probability to be drawn, given the threshold.

    Args:
        tokens: (B, U), int64.
        token_lens: (B,), int64.
        vocab_size: V.
        num_samples: Tokens to draw besides; V - 1 or more give the whole vocabulary.
            With a sample for each utterance those with fewer different labels get more.
        scope: One sample for the batch, or one for each utterance.
        proposal: Probabilities to draw with, (V,) or (B, V) (for a shared sample their
            mean counts); None draws uniformly.
        generator: Of the random numbers, on the device of `tokens`.

    Raises:
        ValueError: num_samples is negative, the proposal's shape does not fit, or a
            token is out of range.
    """
    if num_samples < 0:
        raise ValueError(f"num_samples is negative: {num_samples}")
    check_tokens(tokens, token_lens, vocab_size)
    B, U = tokens.shape
    valid = tokens.masked_fill(make_pad_mask(token_lens, U), 0)
    positive = torch.zeros((B, vocab_size), dtype=torch.bool, device=tokens.device)
    positive.scatter_(1, valid, True)
    positive[:, 0] = True
    if proposal is None:
        proposal = torch.ones(vocab_size, device=tokens.device)
    if proposal.shape not in ((vocab_size,), (B, vocab_size)):
        raise ValueError(
            f"proposal has shape {tuple(proposal.shape)}, expected ({vocab_size},) or "
            f"({B}, {vocab_size})"
        )
    proposal = proposal.float().expand(B, -1)
    shared = Scope(scope) is Scope.BATCH
    if shared:
        positive = positive.any(dim=0, keepdim=True)
        proposal = proposal.mean(dim=0, keepdim=True)
    # Every token has to be possible, else none might be left to draw.
    tiny = torch.finfo(torch.float32).tiny
    log_proposal = (proposal / proposal.sum(dim=1, keepdim=True)).clamp(min=tiny).log()
    uniform = torch.rand(proposal.shape, generator=generator, device=tokens.device)
    # The largest of log q + Gumbel noise is a draw from q; the k largest are k draws
    # without replacement (Vieira, 2014).
    gumbel = -(-uniform.clamp(min=tiny).log()).log()
    keys = (log_proposal + gumbel).masked_fill(positive, torch.inf)
    size = min(int(positive.sum(dim=1).max()) + num_samples, vocab_size)
    ids = keys.topk(size, dim=1).indices.sort(dim=1).values
    inclusion = _log_inclusion(keys, log_proposal, size).gather(1, ids)
    inclusion = inclusion.masked_fill(positive.gather(1, ids), 0.0)
    if shared:
        return Vocabulary(ids[0], inclusion[0])
    return Vocabulary(ids, inclusion)


def _log_inclusion(keys: Tensor, log_proposal: Tensor, size: int) -> Tensor:
    """Return log P(key > threshold), (rows, V); the threshold is the best one left."""
    if size == keys.shape[1]:
        return torch.zeros_like(keys)
    # Given the threshold, tokens are drawn independently of each other: P(log q + G >
    # threshold) = 1 - exp(-exp(log q - threshold)) for Gumbel noise G (Kool, van Hoof
    # and Welling, 2019).
    threshold = keys.topk(size + 1, dim=1).values[:, -1:]
    return (-torch.expm1(-torch.exp(log_proposal - threshold))).log()
