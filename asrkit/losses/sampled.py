"""The transducer loss over a sampled part of the vocabulary (Lee et al., 2022)."""

from dataclasses import dataclass
from enum import Enum

import torch
from torch import Tensor

from asrkit.losses.criterion import BatchShape, Criterion, Encoded
from asrkit.losses.transducer import TransducerCriterion, TransducerLossConfig, project
from asrkit.models.asr_model import AsrModel
from asrkit.transducer.fused import fused_loss
from asrkit.transducer.sampled import sampled_loss
from asrkit.transducer.sampling import Scope, sample_vocabulary
from asrkit.utils.lengths import make_pad_mask
from asrkit.utils.ranges import check_range


class Proposal(str, Enum):
    """What tokens besides blank and the labels are drawn with."""

    UNIFORM = "uniform"
    UNIGRAM = "unigram"
    """How often training has seen a token as a label."""
    CTC = "ctc"
    """The CTC head's posterior, averaged over the utterance: confusable tokens."""


class SampledCriterion(TransducerCriterion):
    """Samples in training; validation and the end of training see all tokens.

    Args:
        num_samples: Tokens drawn besides blank and the labels.
        scope: One sample for the batch or for each utterance.
        proposal: What they are drawn with.
        log_q_correction: Correct for the probability of being drawn.
        until: Share of the training after which all tokens count.
        vocab_size: V.
        options: As of `TransducerCriterion`.
    """

    counts: Tensor

    def __init__(
        self,
        num_samples: int,
        scope: Scope,
        proposal: Proposal,
        *,
        log_q_correction: bool,
        until: float,
        vocab_size: int,
        options: dict[str, object],
    ) -> None:
        super().__init__(options)
        self.num_samples = num_samples
        self.scope = scope
        self.proposal = proposal
        self.log_q_correction = log_q_correction
        self.until = until
        self.register_buffer("counts", torch.ones(vocab_size, dtype=torch.int64))

    def losses(self, model: AsrModel, batch: Encoded) -> Tensor:
        """Return the loss of each utterance, (B,)."""
        inputs = (*project(model, batch), *batch.targets)
        if not self.training or self.progress.share >= self.until:
            return fused_loss(*inputs, **self.options)
        vocabulary = sample_vocabulary(
            batch.tokens,
            batch.token_lens,
            len(self.counts),
            self.num_samples,
            scope=self.scope,
            proposal=self.propose(model, batch),
        )
        return sampled_loss(
            *inputs,
            vocabulary=vocabulary,
            log_q_correction=self.log_q_correction,
            **self.options,
        )

    def propose(self, model: AsrModel, batch: Encoded) -> Tensor | None:
        """Return probabilities to draw with, (V,) or (B, V); None: all the same."""
        match self.proposal:
            case Proposal.UNIGRAM:
                count_labels(self.counts, batch.tokens, batch.token_lens)
                return self.counts.float()
            case Proposal.CTC:
                # Lee et al. (2022): what CTC takes for possible is what the joiner has
                # to tell apart.
                log_probs = batch.ctc_log_probs(model).detach()
                return sum_posteriors(log_probs, batch.enc_lens)
        return None


def count_labels(counts: Tensor, tokens: Tensor, token_lens: Tensor) -> None:
    """Add the labels of tokens (B, U) to counts (V,); does not wait for the device."""
    padding = make_pad_mask(token_lens, tokens.shape[1])
    labels = tokens.masked_fill(padding, 0)
    counts.scatter_add_(0, labels.flatten(), (~padding).flatten().to(counts.dtype))


def sum_posteriors(log_probs: Tensor, enc_lens: Tensor) -> Tensor:
    """Sum the probabilities of log_probs (B, T, V) over utterances' frames: (B, V).

    An utterance at a time, and as a product with 0 and 1: with a large vocabulary a
    quarter of the time of a masked sum, and no second (B, T, V).
    """
    inside = ~make_pad_mask(enc_lens, log_probs.shape[1])
    pairs = zip(inside.to(log_probs.dtype), log_probs, strict=True)
    return torch.stack([frames @ one.exp() for frames, one in pairs])


@dataclass(kw_only=True)
class SampledLossConfig(TransducerLossConfig):
    """The transducer loss over a sample of a large vocabulary, with CTC beside it."""

    name = "sampled"

    num_samples: int = 500
    """Tokens drawn besides blank and the labels."""
    scope: Scope = Scope.BATCH
    """BATCH: one sample for all; UTTERANCE: one for each, without others' labels."""
    proposal: Proposal = Proposal.CTC
    """UNIFORM, UNIGRAM or CTC (which needs loss.weights.ctc)."""
    log_q_correction: bool = True
    """Divide drawn tokens by their probability to be drawn: the softmax's denominator
    is that of all tokens on average, and gradients are several times as near."""
    until: float = 0.9
    """Share of the training after which the softmax is over all tokens."""

    def __post_init__(self) -> None:
        """Check the values."""
        super().__post_init__()
        check_range(self, "loss", "num_samples", least=1)
        check_range(self, "loss", "until", least=0, most=1)
        if self.proposal is Proposal.CTC and not self.weights.get("ctc"):
            raise ValueError(
                "loss.proposal=CTC draws with the CTC head: give loss.weights.ctc a "
                "weight, or choose UNIFORM or UNIGRAM"
            )

    @property
    def phases(self) -> tuple[float, ...]:
        """A sample; at the end all tokens."""
        return tuple(sorted({*super().phases, self.until}))

    def lattice_numbers(
        self, shape: BatchShape, vocab_size: int, joiner_dim: int
    ) -> float:
        """Return the sample's rows, their gradient, and what is drawn from.

        Its tiles are a constant, as good as; CTC's posterior has a fixed size a frame.
        """
        least = 1 + self.num_samples
        if self.scope is Scope.UTTERANCE:
            rows = shape.B * min(least + shape.U, vocab_size)
            drawn_from = 4 * shape.B * vocab_size  # proposal, times, keys, a copy
        else:
            rows = min(least + shape.B * shape.U, vocab_size)
            drawn_from = shape.B * vocab_size
        return float(2 * rows * joiner_dim + drawn_from)

    def joiner_outputs(self, frames: int, labels: int, vocab_size: int) -> float:
        """Return those of a sample, and at the end of all tokens."""
        everything = super().joiner_outputs(frames, labels, vocab_size)
        sample = min(1 + labels + self.num_samples, vocab_size) / vocab_size
        return everything * (self.until * sample + 1 - self.until)

    def transducer(self, model: AsrModel) -> Criterion:
        """Make the loss."""
        return SampledCriterion(
            self.num_samples,
            self.scope,
            self.proposal,
            log_q_correction=self.log_q_correction,
            until=self.until,
            vocab_size=model.vocab_size,
            options=self.options(model),
        )
