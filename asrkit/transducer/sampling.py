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
    softmax", Interspeech 2022 (arXiv 2203.16868). The draw is a race of exponential
    times (Efraimidis and Spirakis, 2006), which also tells each token's probability to
    be drawn, given the threshold. A shared sample waits for the device once, for the
    number of different labels; samples for utterances do not.

    Args:
        tokens: (B, U), int64.
        token_lens: (B,), int64.
        vocab_size: V.
        num_samples: Tokens to draw besides; V - 1 or more give the whole vocabulary.
            With a sample for each utterance all have 1 + U + num_samples tokens: those
            with fewer different labels get more.
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
    if proposal is None:
        proposal = torch.ones(vocab_size, device=tokens.device)
    if proposal.shape not in ((vocab_size,), (B, vocab_size)):
        raise ValueError(
            f"proposal has shape {tuple(proposal.shape)}, expected ({vocab_size},) or "
            f"({B}, {vocab_size})"
        )
    labels = tokens.masked_fill(make_pad_mask(token_lens, U), 0)  # blank is in it, too
    if Scope(scope) is Scope.UTTERANCE:
        sizes = proposal.expand(B, -1), labels, 1 + U + num_samples
        return Vocabulary(*_draw(*sizes, generator))
    proposal, labels = proposal.view(-1, vocab_size).mean(0, True), labels.view(1, -1)
    different = int(_mark(labels, vocab_size).sum())
    ids, log_inclusion = _draw(proposal, labels, different + num_samples, generator)
    return Vocabulary(ids[0], log_inclusion[0])


def _mark(labels: Tensor, vocab_size: int) -> Tensor:
    """Tell which tokens blank and each row's labels are, (rows, V), bool."""
    marked = torch.zeros(
        (len(labels), vocab_size), dtype=torch.bool, device=labels.device
    )
    marked[:, 0] = True
    return marked.scatter_(1, labels, True)


def _draw(
    proposal: Tensor, labels: Tensor, size: int, generator: torch.Generator | None
) -> tuple[Tensor, Tensor]:
    """Return blank, the labels and what is drawn, (rows, size), and log P(drawn).

    Args:
        proposal: (rows, V).
        labels: (rows, L), padded with blank.
        size: At least the number of different labels and blank.
        generator: Of the random numbers.
    """
    marked = _mark(labels, proposal.shape[1])
    size = min(size, proposal.shape[1])
    # Every token has to be possible, else none might be left to draw.
    proposal = proposal.float()
    proposal = (proposal / proposal.amax(dim=1, keepdim=True)).clamp(min=1e-30)
    # A race: token k arrives at a time of the exponential distribution with rate q_k.
    # The first one is a draw from q, the first n are n draws without replacement.
    times = torch.empty_like(proposal).exponential_(generator=generator)
    keys = (proposal / times.clamp_(min=1e-30)).masked_fill_(marked, torch.inf)
    best = keys.topk(min(size + 1, keys.shape[1]), dim=1)
    ids = best.indices[:, :size].sort(dim=1).values
    if size == keys.shape[1]:
        return ids, torch.zeros_like(keys)
    # Given the best key left out, tokens are drawn independently of each other:
    # P(q / time > threshold) = 1 - exp(-q / threshold) (Kool, van Hoof and Welling,
    # 2019).
    rates = proposal.gather(1, ids) / best.values[:, size:]
    log_inclusion = (-torch.expm1(-rates)).log()
    return ids, log_inclusion.masked_fill(marked.gather(1, ids), 0.0)
