"""Lists of hypotheses of training utterances, as a batch carries them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import kaldialign
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence


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


def make_lists(
    hypotheses: Sequence[Sequence[Sequence[int]]],
    references: Sequence[Sequence[int]],
    *,
    num_hypotheses: int,
) -> NBestLists:
    """Make lists with the reference in front, risks in tokens, nothing fused.

    Args:
        hypotheses: Tokens of each utterance's hypotheses, the best first.
        references: Tokens of each utterance's transcript.
        num_hypotheses: Most hypotheses of a list, the reference among them.
    """
    lists = [
        with_reference(row, reference, num_hypotheses)
        for row, reference in zip(hypotheses, references, strict=True)
    ]
    risks = [[count_errors(row[0], one) for one in row] for row in lists]
    return collate_lists(lists, [[0.0] * len(row) for row in lists], risks)


def with_reference(
    hypotheses: Sequence[Sequence[int]], reference: Sequence[int], num_hypotheses: int
) -> list[list[int]]:
    """Put the reference in front, drop duplicates, keep the first `num_hypotheses`."""
    unique = dict.fromkeys(tuple(one) for one in (reference, *hypotheses))
    return [list(one) for one in unique][:num_hypotheses]


def count_errors(reference: Sequence[int], hypothesis: Sequence[int]) -> float:
    """Return the edit distance of two sequences of tokens."""
    return kaldialign.edit_distance(list(reference), list(hypothesis))["total"]


def collate_lists(
    tokens: Sequence[Sequence[Sequence[int]]],
    lm_scores: Sequence[Sequence[float]],
    risks: Sequence[Sequence[float]],
) -> NBestLists:
    """Pad lists of B utterances to tensors.

    Args:
        tokens: Of each utterance's hypotheses, the reference first.
        lm_scores: Of each utterance's hypotheses.
        risks: Of each utterance's hypotheses.
    """
    N = max(len(row) for row in tokens)
    none = torch.zeros(0, dtype=torch.int64)
    rows = [
        [
            *(torch.tensor(one, dtype=torch.int64) for one in row),
            *[none] * (N - len(row)),
        ]
        for row in tokens
    ]
    return NBestLists(
        pad_sequence([one for row in rows for one in row], True).unflatten(0, (-1, N)),
        torch.tensor([[len(one) for one in row] for row in rows]),
        _pad_floats(lm_scores),
        _pad_floats(risks),
        torch.tensor([len(row) for row in tokens]),
    )


def reference_lists(tokens: Tensor, token_lens: Tensor) -> NBestLists:
    """Make lists of the reference alone.

    Args:
        tokens: (B, U), int64.
        token_lens: (B,), int64.
    """
    zeros = torch.zeros(len(tokens), 1, device=tokens.device)
    ones = torch.ones_like(token_lens)
    return NBestLists(tokens[:, None], token_lens[:, None], zeros, zeros, ones)


def _pad_floats(rows: Sequence[Sequence[float]]) -> Tensor:
    """Fill rows up with 0: (B, N), float32."""
    return pad_sequence([torch.tensor(row, dtype=torch.float32) for row in rows], True)
