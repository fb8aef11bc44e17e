"""The states of what is fused, kept in step with the hypotheses of a frontier."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from asrkit.decoding.frontier import Frontier
from asrkit.decoding.fusion.fusion import Fusion, concatenate_states, select


class FusedStates:
    """Scores hypotheses by what is fused.

    Args:
        fusion: What is fused.
        B: Utterances, which begin with a hypothesis each.
        device: Of the states.
    """

    def __init__(self, fusion: Fusion, B: int, device: torch.device) -> None:
        self.fusion = fusion
        self.device = device
        self.states = fusion.start(B, device)

    def __bool__(self) -> bool:
        """Say whether anything is fused."""
        return bool(self.fusion)

    def scores(self, hypotheses: Frontier) -> Tensor:
        """Return log-scores of the next label, (N, V); 0 for blank."""
        return self.fusion.scores(select(self.states, self._tensor(hypotheses.state)))

    def advance(self, waiting: Frontier, going: Frontier) -> None:
        """Move the states of `going` on by their new labels, where they have one.

        Both lists learn the new places of their states; all other states are dropped.
        """
        if not self.fusion:
            return
        extended = going.new > 0
        labels = self._tensor(going.new[extended])
        before = np.append(waiting.state, going.state[~extended])
        stay = select(self.states, self._tensor(before))
        parents = select(self.states, self._tensor(going.state[extended]))
        moved = self.fusion.advance(parents, labels)
        self.states = concatenate_states([stay, moved])
        waiting.state[:] = np.arange(len(waiting))
        going.state[~extended] = np.arange(len(waiting), len(before))
        going.state[extended] = np.arange(len(before), len(waiting) + len(going))
        going.new[:] = 0

    def begin(self, kept: Frontier, fresh: Frontier) -> None:
        """Give `fresh` the states of hypotheses without labels; drop all but `kept`'s.

        Both lists learn the new places of their states.
        """
        if not self.fusion:
            return
        stay = select(self.states, self._tensor(kept.state))
        starts = self.fusion.start(len(fresh), self.device)
        self.states = concatenate_states([stay, starts])
        kept.state[:] = np.arange(len(kept))
        fresh.state[:] = np.arange(len(kept), len(kept) + len(fresh))

    def end(self, hypotheses: Frontier) -> Frontier:
        """Add the score of ending."""
        if not self.fusion or not len(hypotheses):
            return hypotheses
        final = self.fusion.final(select(self.states, self._tensor(hypotheses.state)))
        return replace(hypotheses, score=hypotheses.score + final.cpu().numpy())

    def _tensor(self, array: np.ndarray) -> Tensor:
        return torch.from_numpy(array).to(self.device)
