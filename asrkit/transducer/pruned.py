"""Pruned transducer loss: a band of s_range label counts per frame.

Kuang et al., "Pruned RNN-T for fast, memory-efficient ASR training", Interspeech 2022
(arXiv 2206.13236), section 3.
"""

import logging
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from asrkit.transducer.backends import Backend, resolve
from asrkit.transducer.checks import (
    check_arcs,
    check_lattice_input,
    check_ranges,
    check_rows,
)
from asrkit.transducer.lattices.band import occupy_band
from asrkit.transducer.merged import merged_losses, next_labels
from asrkit.transducer.rules import (
    Impossible,
    Reduction,
    Rules,
    Topology,
    reduce_losses,
)

logger = logging.getLogger(__name__)


@torch.no_grad()
def prune_ranges(
    blank_occupation: Tensor,
    label_occupation: Tensor,
    enc_lens: Tensor,
    token_lens: Tensor,
    *,
    s_range: int,
    topology: Topology | str = Topology.REGULAR,
) -> Tensor:
    """Choose the label counts of each frame that hold most of the probability.

    The band's lowest row maximises the occupation inside the band less what enters
    from just below. It starts at 0, ends so that the last row is inside, never moves
    down, and by at most s_range - 1 (regular) or 1 a frame.

    Args:
        blank_occupation: (B, T, U + 1).
        label_occupation: (B, T, U).
        enc_lens: (B,), int64.
        token_lens: (B,), int64.
        s_range: Label counts per frame, R; made smaller if U + 1 is, and larger (with
            a log line) where so narrow a band cannot reach an utterance's end.
        topology: Which moves there are.

    Returns:
        (B, T, R), int64: first, first + 1, ..., first + R - 1.

    Raises:
        ValueError: s_range is below 2 in the regular topology, or below 1; another
            argument is out of range.
    """
    topology = Topology(topology)
    check_arcs(
        blank_occupation, label_occupation, enc_lens, token_lens,
        names=("blank_occupation", "label_occupation"),
    )  # fmt: skip
    _, T, rows = blank_occupation.shape
    regular = topology is Topology.REGULAR
    if s_range < (2 if regular else 1):
        raise ValueError(f"s_range is {s_range}, too small for {topology.value}")
    R = min(_wide_enough(s_range, enc_lens, token_lens, regular), rows)
    # Kuang et al., section 3.2 (pruning bounds). In the regular topology exactly one
    # blank leaves each frame, so that the blanks' occupations of a frame sum to 1, and
    # their sum inside the band is the share of the paths that leave the frame there.
    # Paths that enter row `first` from below within this frame are lost, since the row
    # below is outside: their share is taken off.
    inside = blank_occupation.unfold(2, R, 1).sum(dim=-1)
    entering = F.pad(label_occupation, (1, 0))[..., : rows - R + 1]
    first = (inside - entering).argmax(dim=2)
    times = torch.arange(T, device=first.device)
    last = (token_lens - R + 1).clamp(min=0)[:, None]
    # Only paths in the last row end; padding stays there and constrains nothing.
    first = torch.where(times >= enc_lens[:, None] - 1, last, first)
    first = _smooth(first, R - 1 if regular else 1)
    return first[..., None] + torch.arange(R, device=first.device)


def _wide_enough(
    s_range: int, enc_lens: Tensor, token_lens: Tensor, regular: bool
) -> int:
    """Return the narrowest band, at least s_range, that can reach every end."""
    if regular:
        needs = (token_lens - 1) // enc_lens.clamp(min=1) + 2
    else:
        # What has more labels than frames has no path anyway.
        needs = torch.where(enc_lens >= token_lens, 2 + token_lens - enc_lens, 0)
    needed = int(needs.max()) if len(needs) else 0
    if needed > s_range:
        logger.warning(
            "s_range %d is too narrow for an utterance with that many labels per "
            "frame: %d in this batch",
            s_range,
            needed,
        )
    return max(s_range, needed)


def _smooth(first: Tensor, most: int) -> Tensor:
    """Make first (B, T) start at 0 and grow by 0..most per frame."""
    # The bounds are chosen frame by frame; a path needs them to rise, and by no more
    # than a frame can climb. First what is higher than a later bound comes down; then
    # the same from the other side, for most * t - first(t), which makes steps of at
    # most `most`.
    first = _running_min_from_end(first)
    times = torch.arange(first.shape[1], device=first.device)
    slack = _running_min_from_end(most * times - first).clamp(min=0)
    return most * times - slack


def _running_min_from_end(x: Tensor) -> Tensor:
    """Return the smallest value from each place to the end."""
    return x.flip(1).cummin(dim=1).values.flip(1)


def gather_ranges(pred: Tensor, ranges: Tensor) -> Tensor:
    """Pick the band's rows of the predictor: (B, U + 1, J) to (B, T, R, J).

    Raises:
        ValueError: A row is not there.
    """
    B, T, R = ranges.shape
    check_rows(ranges, pred)
    index = ranges.reshape(B, T * R, 1).expand(-1, -1, pred.shape[2])
    return pred.gather(1, index).view(B, T, R, -1)


def pruned_loss(
    logits: Tensor,
    tokens: Tensor,
    ranges: Tensor,
    enc_lens: Tensor,
    token_lens: Tensor,
    *,
    allowed: Tensor | None = None,
    blank_id: int = 0,
    topology: Topology | str = Topology.REGULAR,
    reduction: Reduction | str = Reduction.SUM,
    delay_penalty: float = 0.0,
    fastemit: float = 0.0,
    hat: bool = False,
    impossible: Impossible | str = Impossible.ZERO,
    backend: Backend | str = Backend.AUTO,
    reuse_logits: bool = False,
) -> Tensor:
    """Transducer loss over the paths inside the band; memory O(B T R).

    An utterance whose band holds no path counts as one without a path.

    Args:
        logits: Joiner output in the band, (B, T, R, V).
        tokens: (B, U), int64.
        ranges: As `prune_ranges` returns them, (B, T, R), int64.
        enc_lens: (B,), int64.
        token_lens: (B,), int64.
        allowed: Of `aligned_band`, (B, T, R), bool: cells of the band that may emit
            their next label; None: all.
        blank_id: As the rest, see `transducer_loss`.
        topology: That of `prune_ranges`.
        reduction: "sum", "mean" or "none".
        delay_penalty: Added to labels.
        fastemit: Growth of gradients through labels.
        hat: Blank as a sigmoid.
        impossible: "zero" or "inf".
        backend: AUTO, TORCH or TRITON, for the lattice.
        reuse_logits: Write the gradient over `logits`.

    Raises:
        ValueError: An argument is out of range.
    """
    _, T, R, V = logits.shape
    U = tokens.shape[1]
    rules = Rules(Topology(topology), blank_id, delay_penalty, fastemit, hat)
    check_lattice_input(
        T, U, V, tokens, enc_lens, token_lens, blank_id=blank_id,
        others={"logits": logits, "ranges": ranges},
    )  # fmt: skip
    check_ranges(ranges, R, U, rules.topology)
    index = next_labels(tokens, token_lens).gather(1, ranges.flatten(1))
    run = partial(
        occupy_band,
        ranges=ranges,
        enc_lens=enc_lens,
        token_lens=token_lens,
        topology=rules.topology,
        U=U,
        backend=resolve(backend, logits.device),
        allowed=allowed,
    )
    losses = merged_losses(
        logits,
        index.view(ranges.shape),
        enc_lens,
        rules,
        run,
        reuse_logits=reuse_logits,
    )
    return reduce_losses(losses, reduction, impossible)
