"""Forward-backward over the transducer lattice, one anti-diagonal at a time.

A cell (t, u) has seen t frames and u labels. In the regular topology (Graves, 2012)
blank moves it to (t + 1, u) and the next label to (t, u + 1), so all cells of one
anti-diagonal t + u depend on the one before only: a step of the recursion is a few
tensor operations over (B, U + 1), and there are T + U of them.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Lattice:
    """What one forward-backward pass gives."""

    log_likelihood: Tensor
    """log P(tokens | audio), (B,)."""
    blank_occupation: Tensor
    """Posterior probability of every blank arc, (B, T, U + 1)."""
    label_occupation: Tensor
    """Posterior probability of every label arc, (B, T, U)."""


@torch.no_grad()
def lattice(
    blank_log_probs: Tensor,
    label_log_probs: Tensor,
    enc_lens: Tensor,
    token_lens: Tensor,
) -> Lattice:
    """Sum over all alignments of the regular topology.

    The occupations are the derivatives of the log-likelihood with respect to the arc
    log-probabilities. What lies outside an utterance's lengths is ignored and has
    occupation 0.

    Args:
        blank_log_probs: log p(blank | t, u), (B, T, U + 1), float32 or float64.
        label_log_probs: log p(label u + 1 | t, u), (B, T, U).
        enc_lens: Valid frames, (B,), int64, at least 1.
        token_lens: Valid labels, (B,), int64.

    Returns:
        The log-likelihood and both occupations.
    """
    _, T, rows = blank_log_probs.shape
    blank = _mask_outside(blank_log_probs, enc_lens, token_lens + 1)
    label = _mask_outside(label_log_probs, enc_lens, token_lens)
    label = F.pad(label, (0, 1), value=-torch.inf)
    blank_diagonals, label_diagonals = _skew(blank), _skew(label)
    alpha = _forward(blank_diagonals, label_diagonals)
    beta = _backward(blank_diagonals, label_diagonals, enc_lens, token_lens)
    log_likelihood = beta[0, :, 0]
    # An arc's posterior: what leads to it, itself, what follows, over the total.
    before = alpha[:-1] - log_likelihood[None, :, None]
    after_label = F.pad(beta[1:, :, 1:], (0, 1), value=-torch.inf)
    blank_occupation = (before + blank_diagonals + beta[1:]).exp()
    label_occupation = (before + label_diagonals + after_label).exp()
    return Lattice(
        log_likelihood,
        _unskew(blank_occupation, T),
        _unskew(label_occupation, T)[..., : rows - 1],
    )


def _mask_outside(log_probs: Tensor, enc_lens: Tensor, widths: Tensor) -> Tensor:
    """Set cells past an utterance's frames or labels to -inf."""
    _, T, rows = log_probs.shape
    times = torch.arange(T, device=log_probs.device)
    labels = torch.arange(rows, device=log_probs.device)
    outside = (times >= enc_lens[:, None])[:, :, None]
    outside = outside | (labels >= widths[:, None])[:, None, :]
    return log_probs.masked_fill(outside, -torch.inf)


def _skew(x: Tensor) -> Tensor:
    """Lay out (B, T, U + 1) by anti-diagonals, (T + U, B, U + 1); gaps hold -inf."""
    B, T, rows = x.shape
    padded = F.pad(x.permute(2, 0, 1), (0, rows), value=-torch.inf)
    # Rows one entry shorter than they were laid out: row u moves right by u.
    padded = padded.transpose(0, 1).reshape(B, rows * (T + rows))
    skewed = padded[:, : rows * (T + rows - 1)].view(B, rows, T + rows - 1)
    return skewed.permute(2, 0, 1).contiguous()


def _unskew(diagonals: Tensor, T: int) -> Tensor:
    """Undo `_skew`: (T + U, B, U + 1) to (B, T, U + 1)."""
    width, B, rows = diagonals.shape
    flat = diagonals.permute(1, 2, 0).reshape(B, rows * width)
    return F.pad(flat, (0, rows)).view(B, rows, width + 1)[:, :, :T].transpose(1, 2)


def _forward(blank: Tensor, label: Tensor) -> Tensor:
    """Return log-sums of the paths into each cell, (T + U + 1, B, U + 1)."""
    alpha = blank.new_full((len(blank) + 1, *blank.shape[1:]), -torch.inf)
    alpha[0, :, 0] = 0.0
    for diagonal in range(len(blank)):
        stay = alpha[diagonal] + blank[diagonal]
        move = (alpha[diagonal] + label[diagonal])[:, :-1]
        alpha[diagonal + 1, :, 0] = stay[:, 0]
        torch.logaddexp(stay[:, 1:], move, out=alpha[diagonal + 1, :, 1:])
    return alpha


def _backward(
    blank: Tensor, label: Tensor, enc_lens: Tensor, token_lens: Tensor
) -> Tensor:
    """Return log-sums of the paths out of each cell, (T + U + 1, B, U + 1)."""
    beta = blank.new_full((len(blank) + 1, *blank.shape[1:]), -torch.inf)
    utterances = torch.arange(len(enc_lens), device=blank.device)
    beta[enc_lens + token_lens, utterances, token_lens] = 0.0
    for diagonal in range(len(blank) - 1, -1, -1):
        stay = beta[diagonal + 1] + blank[diagonal]
        move = beta[diagonal + 1, :, 1:] + label[diagonal, :, :-1]
        out = torch.cat([torch.logaddexp(stay[:, :-1], move), stay[:, -1:]], dim=1)
        # Keeps the 0 of the final cell, where no arc leaves.
        beta[diagonal] = torch.maximum(beta[diagonal], out)
    return beta
