"""Lists of hypotheses of training utterances, as a batch carries them."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class NBestLists:
    """N hypotheses of B utterances; the first of each is the reference."""

    tokens: Tensor
    """(B, N, U), int64; what lies past token_lens is 0."""
    token_lens: Tensor
    """(B, N), int64."""
    lm_scores: Tensor
    """Scaled log-scores of what was fused in the search, (B, N), float32."""
    risks: Tensor
    """Edit distance to the reference, (B, N), float32; 0 for the first."""
    counts: Tensor
    """Hypotheses of each utterance, (B,), int64; at least 1, the rest is padding."""

    def to(self, device: torch.device) -> "NBestLists":
        """Move the tensors; pinned memory goes over without waiting."""
        return self.map(lambda tensor: tensor.to(device, non_blocking=True))

    def __getitem__(self, rows: slice) -> "NBestLists":
        """Return the lists of some utterances."""
        return self.map(lambda tensor: tensor[rows])

    def map(self, function: Callable[[Tensor], Tensor]) -> "NBestLists":
        """Apply a function to every tensor."""
        return NBestLists(
            function(self.tokens),
            function(self.token_lens),
            function(self.lm_scores),
            function(self.risks),
            function(self.counts),
        )
