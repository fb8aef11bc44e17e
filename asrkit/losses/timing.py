"""CTC with label priors, which teaches when labels are spoken.

CTC is content with one frame a label, wherever in it. Divided by how likely each label
is on the whole, blank costs what labels cost, and a label covers what sounds like it
(Zeyer et al., 2021, arXiv 2105.14849; Huang et al., 2024, arXiv 2406.02560).
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from asrkit.losses.criterion import Criterion, Encoded
from asrkit.models.asr_model import AsrModel
from asrkit.models.timing_head import divide_by_prior
from asrkit.utils.lengths import make_pad_mask

EVERY = 4
"""Updates of which the head learns in the first."""

_NUMBERS = 1 << 24  # of logits: 64 MiB in float32


class TimingCriterion(Criterion):
    """CTC with label priors of the model's timing head.

    The head hears the features before they are masked, and nothing of its gradient
    reaches the encoder. It is small and has learnt long before the others: so it
    learns in one update of four, and of large batches, or vocabularies, as many
    utterances are taken as keep it cheap. They count for all.
    """

    modules_used = ("timing_head",)
    apart = True

    def forward(
        self, model: AsrModel, batch: Encoded
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss summed over the batch."""
        if self.training and self.progress.update % EVERY:
            return batch.enc_out.new_zeros(()), {}
        assert batch.feats is not None
        assert batch.feat_lens is not None
        numbers = batch.enc_out.shape[1] * model.vocab_size
        rows = min(len(batch.feats), max(1, _NUMBERS // numbers))
        logits = model.timing_logits(batch.feats[:rows], batch.feat_lens[:rows])
        losses = prior_ctc_loss(logits, *(x[:rows] for x in batch.targets))
        updates = EVERY if self.training else 1
        return losses.sum() * (updates * len(batch.enc_lens) / rows), {}


def prior_ctc_loss(
    logits: Tensor, tokens: Tensor, enc_lens: Tensor, token_lens: Tensor
) -> Tensor:
    """Return the loss of each utterance, (B,).

    With p_t the softmax of frame t, q the mean of p over the utterance's frames, and
    CTC's paths s of its labels, it is

        -log sum_s prod_t p_t(s_t) / q(s_t)^1.5

    where q is a constant for the gradient. Blank is id 0. An utterance without a path
    has loss and gradient 0.

    Args:
        logits: (B, T, V).
        tokens: (B, U), int64.
        enc_lens: (B,), int64.
        token_lens: (B,), int64.
    """
    with torch.autocast(logits.device.type, enabled=False):
        dtype = torch.promote_types(logits.dtype, torch.float32)
        losses: Tensor = _PriorCtc.apply(logits.to(dtype), tokens, enc_lens, token_lens)
    return losses


class _PriorCtc(torch.autograd.Function):
    """Takes the occupations of labels from torch's CTC.

    Its gradient is right only where each frame's input adds up to 1, which p / q^1.5
    does not. Whatever a frame is multiplied by, its occupations stay: so they are
    computed of p / q^1.5, made to add up to 1.
    """

    @staticmethod
    def forward(
        ctx: Any, logits: Tensor, tokens: Tensor, enc_lens: Tensor, token_lens: Tensor
    ) -> Tensor:
        """Return the losses."""
        valid = ~make_pad_mask(enc_lens, logits.shape[1])[..., None]
        log_probs = logits.log_softmax(dim=-1)
        scores = divide_by_prior(log_probs, enc_lens)
        total = scores.logsumexp(dim=-1, keepdim=True)
        scores = (scores - total).requires_grad_()
        with torch.enable_grad():
            losses = F.ctc_loss(
                scores.transpose(0, 1), tokens, enc_lens, token_lens, reduction="none"
            )
            (gradient,) = torch.autograd.grad(losses.sum(), scores)
        losses, scores = losses.detach(), scores.detach()
        possible = losses.isfinite()
        # Graves et al. (2006), equation 16: torch returns exp(scores) - occupation.
        occupation = scores.exp() - gradient
        kept = valid & possible[:, None, None]
        ctx.save_for_backward((log_probs.exp() - occupation).masked_fill(~kept, 0.0))
        losses = losses - (total * valid).sum(dim=(1, 2))
        return losses.masked_fill(~possible, 0.0)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Scale softmax minus occupation."""
        (difference,) = ctx.saved_tensors
        return gradients[0][:, None, None] * difference, None, None, None
