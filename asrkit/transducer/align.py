"""The best path through a transducer lattice."""

from dataclasses import dataclass

import torch
from torch import Tensor

from asrkit.transducer.checks import check_arcs
from asrkit.transducer.lattices.layout import Layout, pay_blank
from asrkit.transducer.lattices.recursion import scan
from asrkit.transducer.rules import Topology


@dataclass(frozen=True)
class BestPaths:
    """The most probable path of each utterance."""

    score: Tensor
    """Its log-probability, (B,); -inf where there is no path."""
    label_frames: Tensor
    """Frame that emits each label, (B, U), int64; -1 in padding or without a path."""

    def frame_labels(self, tokens: Tensor, num_frames: int, blank_id: int) -> Tensor:
        """Return the label of every frame, blank where there is none, (B, T), int64.

        Of several labels in one frame (regular topology) the last one stands.
        """
        B = len(tokens)
        labels = tokens.new_full((B, num_frames + 1), blank_id)
        frames = self.label_frames.where(self.label_frames >= 0, num_frames)
        # Labels of a later row overwrite: keep each frame's last one.
        later = torch.zeros_like(frames, dtype=torch.bool)
        later[:, :-1] = frames[:, :-1] == frames[:, 1:]
        labels.scatter_(1, frames.masked_fill(later, num_frames), tokens)
        return labels[:, :num_frames]


@torch.no_grad()
def viterbi_align(
    blank_log_probs: Tensor,
    label_log_probs: Tensor,
    enc_lens: Tensor,
    token_lens: Tensor,
    *,
    topology: Topology | str = Topology.REGULAR,
) -> BestPaths:
    """Find the best path; of equally good ones that with the earliest labels.

    Args:
        blank_log_probs: log p(blank | t, u), (B, T, U + 1).
        label_log_probs: log p(label u + 1 | t, u), (B, T, U).
        enc_lens: (B,), int64.
        token_lens: (B,), int64.
        topology: Which moves there are.

    Raises:
        ValueError: An argument is out of range.
    """
    topology = Topology(topology)
    check_arcs(
        blank_log_probs, label_log_probs, enc_lens, token_lens,
        names=("blank_log_probs", "label_log_probs"),
    )  # fmt: skip
    B, T, U = label_log_probs.shape
    if topology is Topology.CONSTRAINED:
        label_log_probs = pay_blank(blank_log_probs, label_log_probs)
    layout = Layout(enc_lens, token_lens, T, U, topology)
    masked = layout.mask(blank_log_probs, label_log_probs)
    blank, label = (x[..., :B].contiguous() for x in layout.arcs(*masked))
    # Viterbi's recursion is that of the sum with max in place of log-add.
    paths = scan(blank, label, None, torch.zeros_like(token_lens), torch.maximum)
    score = paths.total(token_lens)
    by_blank, by_label = paths.scores[:-1] + blank, paths.scores[:-1] + label
    moved = torch.zeros_like(by_blank, dtype=torch.bool)
    # Strictly better: of equal paths blank last, which means labels early.
    moved[:, 1:] = by_label[:, :-1] > by_blank[:, 1:]
    frames = token_lens.new_full((B, U + 1), -1)
    row = token_lens.clone()
    for step in range(len(moved) - 1, -1, -1):
        back = moved[step].gather(0, row[None]).T
        row = row - back.squeeze(1).long()
        frame = step - row[:, None] if topology is Topology.REGULAR else step
        # Column U takes what is no label.
        frames.scatter_(1, torch.where(back, row[:, None], U), frame)
    frames = frames[:, :U].masked_fill((score == -torch.inf)[:, None], -1)
    return BestPaths(score.to(blank_log_probs.dtype), frames)
