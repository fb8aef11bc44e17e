"""From logits to the two numbers a cell that a lattice needs, and back to gradients.

With merged gradients (Li et al., 2019, arXiv 1909.12415) a cell's logits are needed
twice: once for the log-probabilities of blank and of the next label, once to write the
gradient softmax_k (g_blank + g_label) - [k = blank] g_blank - [k = label] g_label over
them, where g are the arcs' occupations.
"""

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


def arc_log_probs(
    logits: Tensor, index: Tensor, rules: Rules
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the log-probabilities of blank and label, and the normalizer.

    Args:
        logits: (..., V), float32 or float64.
        index: Id of the next label, (...), int64; any id where there is none.
        rules: Blank's id, and whether it is a sigmoid.

    Returns:
        Three tensors (...).
    """
    blank, label = logits[..., rules.blank_id], logits.gather(-1, index[..., None])
    if rules.hat:
        # HAT (Variani et al., 2020): b = sigmoid(z_0) is blank's probability, and
        # labels share 1 - b = sigmoid(-z_0) by a softmax of their own.
        normalizer = _finite(logits[..., 1:].logsumexp(dim=-1))
        some_label = F.logsigmoid(-blank)
        return F.logsigmoid(blank), label[..., 0] - normalizer + some_label, normalizer
    normalizer = _finite(logits.logsumexp(dim=-1))
    return blank - normalizer, label[..., 0] - normalizer, normalizer


def logit_gradient(
    logits: Tensor,
    normalizer: Tensor,
    index: Tensor,
    blank: Tensor,
    label: Tensor,
    rules: Rules,
    *,
    out: Tensor,
) -> Tensor:
    """Write the loss's gradient with respect to logits.

    Args:
        logits: (..., V).
        normalizer: As `arc_log_probs` returned it, (...).
        index: As `arc_log_probs` took it, (...).
        blank: Derivative of the log-likelihood by the arcs' log-probabilities, (...).
        label: The same of labels, (...).
        rules: As of `arc_log_probs`.
        out: (..., V); may be `logits`.
    """
    # With p = softmax(z) over all tokens and g the arcs' occupations, d log p_k / d z_j
    # = [j = k] - p_j, so that the loss's gradient by z_j is p_j (g_blank + g_label) -
    # [j = blank] g_blank - [j = label] g_label (Li et al., 2019).
    either = blank + label
    first = logits[..., 0].sigmoid() if rules.hat else None
    torch.sub(logits, normalizer[..., None], out=out).exp_()
    # HAT's labels have a softmax of their own, which blank's arc does not enter;
    # blank's logit has the derivative of two log-sigmoids: sigmoid(z_0) (g_blank +
    # g_label) - g_blank.
    out.mul_((label if rules.hat else either)[..., None])
    if first is not None:
        out[..., 0] = first * either
    out[..., rules.blank_id] -= blank
    return out.scatter_add_(-1, index[..., None], -label[..., None])


def _finite(normalizer: Tensor) -> Tensor:
    """Replace -inf, the normalizer of a cell whose logits all are, by 0.

    Then the arcs of such a cell are -inf and its gradient 0, neither of them NaN.
    """
    return normalizer.masked_fill_(normalizer == -torch.inf, 0.0)
