"""Frame-wise training along one fixed path (Zhou et al., Interspeech 2022, stage 1).

The path is monotonic: every frame t emits a label y_t, or none (blank, id 0). On it
the joiner is evaluated in T cells, where the sum over all paths needs T (U + 1).
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from asrkit.utils.lengths import make_pad_mask


def compact_labels(alignment: Tensor) -> tuple[Tensor, Tensor]:
    """Collect the labels of an alignment.

    Waits for the device once.

    Args:
        alignment: Label of every frame, 0 for none and in the padding, (B, T), int64.

    Returns:
        tokens (B, U), 0 in the padding, and token_lens (B,), int64.
    """
    is_label = alignment != 0
    token_lens = is_label.sum(dim=1)
    U = int(token_lens.max())
    # Column U takes what is no label.
    column = torch.where(is_label, labels_before(alignment), U)
    tokens = alignment.new_zeros((len(alignment), U + 1))
    return tokens.scatter_(1, column, alignment)[:, :U], token_lens


def labels_before(alignment: Tensor) -> Tensor:
    """Count the labels before every frame of an alignment, (B, T) to (B, T)."""
    is_label = (alignment != 0).long()
    return is_label.cumsum(dim=1) - is_label


def frame_contexts(
    alignment: Tensor, carried: Tensor | None, context_size: int
) -> tuple[Tensor, Tensor]:
    """Find what the predictor has seen before every frame.

    Args:
        alignment: Label of every frame, 0 for none and in the padding, (B, T), int64.
        carried: Labels before the first frame, (B, C), int64; 0 stands where there
            were fewer; None where utterances are whole.
        context_size: Labels that the predictor sees, C.

    Returns:
        labels (B, C + U), of which the predictor makes U + 1 rows, and the row of
        every frame, (B, T): it has seen the labels of the frames before, not the
        frame's own.
    """
    tokens, _ = compact_labels(alignment)
    if carried is None:
        carried = tokens.new_zeros((len(tokens), context_size))
    assert carried.shape == (len(tokens), context_size), carried.shape
    return torch.cat([carried, tokens], dim=1), labels_before(alignment)


def frame_wise_loss(
    logits: Tensor,
    alignment: Tensor,
    enc_lens: Tensor,
    *,
    label_smoothing: float = 0.2,
    label_boost: float = 5.0,
) -> Tensor:
    """Cross-entropy along the path, with label smoothing and a boost of labels.

    With p = softmax(logits), V tokens with blank, smoothing e and boost b, a frame has

        -(1 - e) log p(y_t) - e / V sum_k log p(k) - b [y_t is a label] log p(y_t)

    where the first two terms are those of Szegedy et al. (2016) and of torch. The
    boost is not smoothed. Computed in float32 or better.

    Args:
        logits: In the cells of the path, (B, T, V).
        alignment: Label of every frame, 0 for none and in the padding, (B, T), int64.
        enc_lens: (B,), int64; frames past it do not count.
        label_smoothing: Probability mass spread over all tokens, 0 to 1.
        label_boost: Further weight of the frames with a label.

    Returns:
        (B,), the sum over each utterance's frames.
    """
    log_probs = _log_probs(logits)
    own = 1.0 - label_smoothing + label_boost * (alignment != 0)
    losses = -own * _of_labels(log_probs, alignment)
    if label_smoothing:
        losses = losses - label_smoothing * log_probs.mean(dim=-1)
    return _sum_frames(losses, enc_lens)


def focal_loss(
    logits: Tensor, alignment: Tensor, enc_lens: Tensor, *, factor: float = 1.0
) -> Tensor:
    """Cross-entropy in which frames that are learnt count less (Lin et al., 2017).

    A frame has -(1 - p(y_t))^factor log p(y_t). Arguments and result as of
    `frame_wise_loss`; factor 0 gives plain cross-entropy.
    """
    log_prob = _of_labels(_log_probs(logits), alignment)
    # A root has no slope at 0, where p rounds to 1.
    tiny = torch.finfo(log_prob.dtype).tiny
    missing = -torch.expm1(log_prob).clamp(max=-tiny)
    return _sum_frames(-(missing**factor) * log_prob, enc_lens)


def _log_probs(logits: Tensor) -> Tensor:
    """Normalize logits (B, T, V) in float32 or better, whatever autocast says."""
    dtype = torch.promote_types(logits.dtype, torch.float32)
    return F.log_softmax(logits, dim=-1, dtype=dtype)


def _of_labels(log_probs: Tensor, alignment: Tensor) -> Tensor:
    """Pick each frame's own label: (B, T, V) to (B, T)."""
    return log_probs.gather(2, alignment[..., None]).squeeze(2)


def _sum_frames(losses: Tensor, enc_lens: Tensor) -> Tensor:
    """Sum losses (B, T) over the frames before enc_lens."""
    padding = make_pad_mask(enc_lens, losses.shape[1])
    return losses.masked_fill(padding, 0.0).sum(dim=1)
