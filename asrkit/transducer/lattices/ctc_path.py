"""The best path of CTC through given labels."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from asrkit.utils.lengths import make_pad_mask


@dataclass(frozen=True)
class CtcPath:
    """The most probable path of each utterance."""

    score: Tensor
    """Its log-probability, (B,); -inf where there is no path."""
    labels: Tensor
    """Which label each frame says, counted from 0, (B, T), int64; U where none."""
    num_labels: int
    """U."""

    @property
    def label_frames(self) -> Tensor:
        """First frame of each label, (B, U), int64; 0 in the padding."""
        return self._reduce("amin", self._times)

    @property
    def label_ends(self) -> Tensor:
        """Frame after the last of each label, (B, U), int64; 0 in the padding."""
        return self._reduce("amax", self._times + 1)

    @property
    def _times(self) -> Tensor:
        T = self.labels.shape[1]
        return torch.arange(T, device=self.labels.device).expand_as(self.labels)

    def _reduce(self, how: str, times: Tensor) -> Tensor:
        zeros = times.new_zeros((len(times), self.num_labels + 1))
        found = zeros.scatter_reduce(1, self.labels, times, how, include_self=False)
        return found[:, : self.num_labels]


@torch.no_grad()
def ctc_path(
    log_probs: Tensor, enc_lens: Tensor, tokens: Tensor, token_lens: Tensor
) -> CtcPath:
    """Find the best path of CTC; blank is id 0.

    Args:
        log_probs: (B, T, V).
        enc_lens: (B,), int64.
        tokens: (B, U), int64.
        token_lens: (B,), int64.

    Returns:
        The path; there is none with more labels, and blanks between equal ones, than
        frames.
    """
    # The states: blank, label, blank, ..., label, blank; (B, S).
    states = F.pad(F.pad(tokens[..., None], (1, 0)).flatten(1), (0, 1))
    path, score = _viterbi(log_probs, states, enc_lens, token_lens)
    U = tokens.shape[1]
    spoken = (path % 2 == 1) & ~make_pad_mask(enc_lens, path.shape[1])
    return CtcPath(score, torch.where(spoken, path // 2, U), U)


def _viterbi(
    log_probs: Tensor, states: Tensor, enc_lens: Tensor, token_lens: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the state of each frame on the best path, (B, T), and its score (B,).

    Args:
        log_probs: (B, T, V).
        states: Token id of each state, (B, S).
        enc_lens: (B,).
        token_lens: (B,).
    """
    T = log_probs.shape[1]
    # The next label can follow at once unless it is the same; blank is after blank.
    skips = F.pad(states[:, 2:] != states[:, :-2], (2, 0))[:, : states.shape[1]]
    steps = torch.zeros((T, *states.shape), dtype=torch.uint8, device=states.device)
    scores = log_probs[:, 0].gather(1, states).double()
    scores[:, 2:] = -torch.inf
    for t in range(1, T):
        # Graves et al. (2006), section 4.1: from s, s - 1, or s - 2; max for sum.
        by_one = F.pad(scores, (1, 0), value=-torch.inf)[:, :-1]
        by_two = F.pad(scores, (2, 0), value=-torch.inf)[:, :-2]
        by_two = by_two.masked_fill(~skips, -torch.inf)
        best, step = torch.stack([scores, by_one, by_two]).max(dim=0)
        now = (t < enc_lens)[:, None]
        scores = torch.where(now, best + log_probs[:, t].gather(1, states), scores)
        steps[t] = step.to(torch.uint8).masked_fill(~now, 0)
    # The path ends in the last blank or in the last label, where there is one.
    ends = torch.stack([2 * token_lens, (2 * token_lens - 1).clamp(min=0)], dim=1)
    score, which = scores.gather(1, ends).max(dim=1)
    state = ends.gather(1, which[:, None])
    path = [state]
    for t in range(T - 1, 0, -1):
        state = state - steps[t].gather(1, state).long()
        path.append(state)
    return torch.cat(path[::-1], dim=1), score
