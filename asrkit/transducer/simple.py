"""The linear joiner of pruned training: logits am + lm that are never in memory.

Kuang et al., "Pruned RNN-T for fast, memory-efficient ASR training", Interspeech 2022
(arXiv 2206.13236), section 3.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from asrkit.transducer.arcs import output_log_probs
from asrkit.transducer.backends import Backend, resolve
from asrkit.transducer.checks import check_lattice_input
from asrkit.transducer.lattices.lattice import sum_paths
from asrkit.transducer.merged import next_labels
from asrkit.transducer.rules import (
    Impossible,
    Reduction,
    Rules,
    Topology,
    reduce_losses,
)
from asrkit.utils.lengths import make_pad_mask


def simple_loss(
    am: Tensor,
    lm: Tensor,
    tokens: Tensor,
    enc_lens: Tensor,
    token_lens: Tensor,
    *,
    am_scale: float = 0.0,
    lm_scale: float = 0.0,
    return_occupation: bool = False,
    blank_id: int = 0,
    topology: Topology | str = Topology.REGULAR,
    reduction: Reduction | str = Reduction.SUM,
    delay_penalty: float = 0.0,
    fastemit: float = 0.0,
    hat: bool = False,
    impossible: Impossible | str = Impossible.ZERO,
    backend: Backend | str = Backend.AUTO,
) -> Tensor | tuple[Tensor, Tensor, Tensor]:
    """Transducer loss of the logits am[t] + lm[u], optionally smoothed.

    The arcs' log-probabilities are (1 - am_scale - lm_scale) of the joint ones, plus
    lm_scale of those of lm alone, plus am_scale of those of am with a unigram of lm.
    Float32 or better throughout.

    Args:
        am: Encoder side, (B, T, V).
        lm: Predictor side, (B, U + 1, V).
        tokens: (B, U), int64.
        enc_lens: (B,), int64.
        token_lens: (B,), int64.
        am_scale: Share of am alone, 0 to 1.
        lm_scale: Share of lm alone, 0 to 1.
        return_occupation: Return the occupations, too, for `prune_ranges`.
        blank_id: As the rest, see `transducer_loss`.
        topology: Which moves the lattice allows.
        reduction: "sum", "mean" or "none".
        delay_penalty: Added to labels.
        fastemit: Growth of gradients through labels.
        hat: Blank as a sigmoid, of each of the distributions.
        impossible: "zero" or "inf".
        backend: AUTO, TORCH or TRITON, for the lattice.

    Returns:
        The loss, or the loss, blank occupations (B, T, U + 1) and label occupations
        (B, T, U).

    Raises:
        ValueError: An argument is out of range.
    """
    rules = Rules(Topology(topology), blank_id, delay_penalty, fastemit, hat)
    check_lattice_input(
        am.shape[1], lm.shape[1] - 1, am.shape[2], tokens, enc_lens, token_lens,
        blank_id=blank_id, others={"am": am, "lm": lm},
    )  # fmt: skip
    if min(am_scale, lm_scale) < 0 or am_scale + lm_scale > 1:
        raise ValueError(
            f"am_scale {am_scale} and lm_scale {lm_scale} must be shares of 1"
        )
    dtype = torch.promote_types(am.dtype, torch.float32)
    am, lm = am.to(dtype), lm.to(dtype)
    index = next_labels(tokens, token_lens)[:, :-1]
    blank, label = _joint(am, lm, index, rules)
    if am_scale or lm_scale:
        # Smoothing makes each side a distribution of its own, so that am and lm alone
        # are meaningful and the band that they choose is: k2's rnnt_loss_smoothed.
        joint = 1.0 - am_scale - lm_scale
        blank, label = joint * blank, joint * label
    if lm_scale:
        own = _lm_alone(lm, index, rules)
        blank, label = blank + lm_scale * own[0], label + lm_scale * own[1]
    if am_scale:
        own = _am_alone(am, lm, index, token_lens, rules)
        blank, label = blank + am_scale * own[0], label + am_scale * own[1]
    if fastemit:
        # Its value stays, its gradient grows.
        label = label + fastemit * (label - label.detach())
    paths = sum_paths(
        blank,
        rules.penalize(label, enc_lens),
        enc_lens,
        token_lens,
        rules.topology,
        resolve(backend, am.device),
    )
    loss = reduce_losses(-paths.log_likelihood, reduction, impossible)
    if return_occupation:
        return loss, paths.blank_occupation, paths.label_occupation
    return loss


def _joint(
    am: Tensor, lm: Tensor, index: Tensor, rules: Rules
) -> tuple[Tensor, Tensor]:
    """Return log-probabilities of blank (B, T, U + 1) and label (B, T, U).

    The normalizer over the vocabulary is one matrix product per utterance.
    """
    T = am.shape[1]
    normalizer = _normalizer(*(x[..., 1:] if rules.hat else x for x in (am, lm)))
    blank = am[..., rules.blank_id, None] + lm[:, None, :, rules.blank_id]
    am_label = am.gather(2, index[:, None].expand(-1, T, -1))
    lm_label = lm[:, :-1].gather(2, index[..., None]).transpose(1, 2)
    label = am_label + lm_label - normalizer[..., :-1]
    if rules.hat:
        return F.logsigmoid(blank), label + F.logsigmoid(-blank[..., :-1])
    return blank - normalizer, label


def _normalizer(am: Tensor, lm: Tensor) -> Tensor:
    """Return log sum_v exp(am[t, v] + lm[u, v]), (B, T, U + 1)."""
    # log sum_v exp(am[t, v] + lm[u, v]) = log(exp(am) @ exp(lm)^T): a product of (T, V)
    # and (V, U + 1) in place of T (U + 1) sums over V. The largest values are taken out
    # first, as in any log-sum-exp; their gradients cancel.
    am_top = am.detach().amax(dim=2, keepdim=True)
    lm_top = lm.detach().amax(dim=2, keepdim=True)
    sums = (am - am_top).exp() @ (lm - lm_top).exp().transpose(1, 2)
    tiny = torch.finfo(am.dtype).tiny  # where the product underflows
    return sums.clamp(min=tiny).log() + am_top + lm_top.transpose(1, 2)


def _lm_alone(lm: Tensor, index: Tensor, rules: Rules) -> tuple[Tensor, Tensor]:
    """Return lm's own log-probabilities, (B, 1, U + 1) and (B, 1, U)."""
    log_probs = output_log_probs(lm, hat=rules.hat)
    label = log_probs[:, :-1].gather(2, index[..., None]).transpose(1, 2)
    return log_probs[:, None, :, rules.blank_id], label


def _am_alone(
    am: Tensor, lm: Tensor, index: Tensor, token_lens: Tensor, rules: Rules
) -> tuple[Tensor, Tensor]:
    """Return am's own log-probabilities, (B, T, 1) and (B, T, U).

    With the mean of lm's probabilities over all rows that are not padding as prior.
    """
    padding = make_pad_mask(token_lens + 1, lm.shape[1])[..., None]
    probs = output_log_probs(lm, hat=rules.hat).exp().masked_fill(padding, 0.0)
    unigram = probs.sum(dim=(0, 1)) / (token_lens + 1).sum()
    # am alone has no prior of the tokens; it borrows the average that lm gives.
    scores = am + unigram.clamp(min=torch.finfo(am.dtype).tiny).log()
    log_probs = output_log_probs(scores, hat=rules.hat)
    label = log_probs.gather(2, index[:, None].expand(-1, am.shape[1], -1))
    return log_probs[..., rules.blank_id, None], label
