"""From logits to the few numbers a cell that a lattice needs, and back to gradients.

With merged gradients (Li et al., 2019, arXiv 1909.12415) a cell's logits are needed
twice: once for the log-probabilities of blank and of the next label, once to write the
gradient softmax_k (g_blank + g_label) - [k = blank] g_blank - [k = label] g_label over
them, where g are the arcs' occupations. Durations have logits and a softmax of their
own behind those of the tokens, and a gradient of the same form.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from asrkit.transducer.rules import Rules


def output_log_probs(logits: Tensor, *, hat: bool) -> Tensor:
    """Return log-probabilities (..., V) of logits (..., V), blank at id 0.

    With `hat` blank is the sigmoid of its logit, and the labels share the rest by a
    softmax of theirs (Variani et al., 2020, arXiv 2003.07705).
    """
    if not hat:
        return logits.log_softmax(dim=-1)
    blank, labels = logits[..., :1], logits[..., 1:].log_softmax(dim=-1)
    return torch.cat([F.logsigmoid(blank), labels + F.logsigmoid(-blank)], dim=-1)


def arc_log_probs(logits: Tensor, index: Tensor, rules: Rules) -> tuple[Tensor, ...]:
    """Return log-probabilities of blank and label, the normalizer, and durations.

    Args:
        logits: (..., V + Q), float32 or float64; Q durations.
        index: Id of the next label, (...), int64; any id where there is none.
        rules: Blank's id, whether it is a sigmoid, and durations.

    Returns:
        3 + Q tensors (...).
    """
    logits, durations = rules.split(logits)
    jumps = duration_log_probs(durations) if rules.durations else ()
    blank, label = logits[..., rules.blank_id], logits.gather(-1, index[..., None])
    if rules.hat:
        # HAT (Variani et al., 2020): b = sigmoid(z_0) is blank's probability, and
        # labels share 1 - b = sigmoid(-z_0) by a softmax of their own.
        normalizer = _finite(logits[..., 1:].logsumexp(dim=-1))
        some_label = F.logsigmoid(-blank)
        label = label[..., 0] - normalizer + some_label
        return F.logsigmoid(blank), label, normalizer, *jumps
    normalizer = _finite(logits.logsumexp(dim=-1))
    return blank - normalizer, label[..., 0] - normalizer, normalizer, *jumps


def duration_log_probs(logits: Tensor) -> tuple[Tensor, ...]:
    """Return log-probabilities of durations, Q times (...), of logits (..., Q)."""
    return logits.log_softmax(dim=-1).unbind(-1)


def logit_gradient(
    logits: Tensor,
    normalizer: Tensor,
    index: Tensor,
    arcs: Sequence[Tensor],
    rules: Rules,
    *,
    out: Tensor,
) -> Tensor:
    """Write the loss's gradient with respect to logits.

    Args:
        logits: (..., V + Q).
        normalizer: As `arc_log_probs` returned it, (...).
        index: As `arc_log_probs` took it, (...).
        arcs: Derivatives of the log-likelihood by the log-probabilities of blank, of
            the label, and of Q durations, (...) each.
        rules: As of `arc_log_probs`.
        out: (..., V + Q); may be `logits`.
    """
    blank, label, *jumps = arcs
    (logits, durations), (tokens, of_durations) = rules.split(logits), rules.split(out)
    if jumps:
        duration_gradient(durations, jumps, out=of_durations)
    # With p = softmax(z) over all tokens and g the arcs' occupations, d log p_k / d z_j
    # = [j = k] - p_j, so that the loss's gradient by z_j is p_j (g_blank + g_label) -
    # [j = blank] g_blank - [j = label] g_label (Li et al., 2019).
    either = blank + label
    first = logits[..., 0].sigmoid() if rules.hat else None
    torch.sub(logits, normalizer[..., None], out=tokens).exp_()
    # HAT's labels have a softmax of their own, which blank's arc does not enter;
    # blank's logit has the derivative of two log-sigmoids: sigmoid(z_0) (g_blank +
    # g_label) - g_blank.
    tokens.mul_((label if rules.hat else either)[..., None])
    if first is not None:
        tokens[..., 0] = first * either
    tokens[..., rules.blank_id] -= blank
    tokens.scatter_add_(-1, index[..., None], -label[..., None])
    return out


def duration_gradient(logits: Tensor, jumps: Sequence[Tensor], out: Tensor) -> Tensor:
    """Write the loss's gradient with respect to the logits of durations.

    Args:
        logits: (..., Q).
        jumps: Derivatives by the durations' log-probabilities, (...) each.
        out: (..., Q); may be `logits`.
    """
    each = torch.stack([*jumps], dim=-1)
    probs = logits.softmax(dim=-1)
    return torch.sub(probs.mul_(each.sum(dim=-1, keepdim=True)), each, out=out)


def _finite(normalizer: Tensor) -> Tensor:
    """Replace -inf, the normalizer of a cell whose logits all are, by 0.

    Then the arcs of such a cell are -inf and its gradient 0, neither of them NaN.
    """
    return normalizer.masked_fill_(normalizer == -torch.inf, 0.0)
