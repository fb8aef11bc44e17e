"""The hypotheses of a beam of CTC, all utterances together, in tensors."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from asrkit.decoding.fusion.fusion import Fusion, State, select
from asrkit.decoding.search import Hypothesis, NBest
from asrkit.decoding.trace import Trace

_FACTOR = 6364136223846793005  # of the hash, an odd number


@dataclass(frozen=True)
class Hypotheses:
    """K hypotheses of B utterances; unused places have score -inf."""

    score: Tensor
    """(B, K)."""
    facts: Tensor
    """What is known about the labels, side by side so that one operation picks all of
    it: key, before, last, node, and the context for the predictor; (B, K, 4 + C)."""
    pred_proj: Tensor
    """The predictor's projection after the labels, (B, K, J); for CTC J is 0."""

    @classmethod
    def start(cls, K: int, context: Tensor, pred_proj: Tensor) -> "Hypotheses":
        """Return one empty hypothesis for each utterance.

        Args:
            K: Places.
            context: (B, C).
            pred_proj: After the context, (B, J).
        """
        B, device = len(context), context.device
        score = torch.full((B, K), -torch.inf, device=device)
        score[:, 0] = 0.0
        places = torch.arange(K, device=device)
        zeros = torch.zeros_like(places)
        # Unused places need keys of their own.
        facts = torch.stack([1 - places, zeros - K, zeros, zeros], dim=1)
        context = context[:, None].expand(-1, K, -1)
        return cls(
            score,
            torch.cat([facts.expand(B, -1, -1), context], dim=2),
            pred_proj[:, None].expand(-1, K, -1),
        )

    @property
    def key(self) -> Tensor:
        """Hash of the labels, (B, K): equal for equal texts."""
        return self.facts[..., 0]

    @property
    def before(self) -> Tensor:
        """Hash of the labels without the last one, (B, K)."""
        return self.facts[..., 1]

    @property
    def last(self) -> Tensor:
        """Last label, 0 for none, (B, K)."""
        return self.facts[..., 2]

    @property
    def node(self) -> Tensor:
        """Place in the trace, (B, K)."""
        return self.facts[..., 3]

    def pick(self, parents: Tensor, score: Tensor) -> "Hypotheses":
        """Pick hypotheses by their places (B, K'), with new scores (B, K')."""
        utterances = torch.arange(len(parents), device=parents.device)
        index = utterances[:, None], parents
        return Hypotheses(score, self.facts[index], self.pred_proj[index])

    def extend(self, labels: Tensor, node: Tensor) -> "Hypotheses":
        """Append labels (B, K), where they are not 0; move to nodes (B, K)."""
        key = self.key
        new = [key * _FACTOR + labels, key, labels, node]
        new += [*self.facts[..., 5:].unbind(-1), labels]
        facts = torch.where((labels > 0)[..., None], _columns(new, self), self.facts)
        facts[..., 3] = node
        return replace(self, facts=facts)


def _columns(columns: list[Tensor], like: Hypotheses) -> Tensor:
    """Put facts side by side; CTC has no context."""
    return torch.stack(columns[: like.facts.shape[2]], dim=-1)


def same_text(hypotheses: Hypotheses, scores: Tensor) -> tuple[Tensor, Tensor]:
    """Take out extensions by a label that give the text of another hypothesis.

    Args:
        hypotheses: K of each utterance, of different texts.
        scores: Of appending each label, (B, K, V); becomes -inf where that text is
            there already.

    Returns:
        The score with which an extension leads to each hypothesis's text, -inf if none
        does, and the hypothesis that it extends; (B, K) each.
    """
    K = scores.shape[1]
    same = hypotheses.before[:, None] == hypotheses.key[:, :, None]  # (B, from, to)
    index = hypotheses.last[:, None].expand(-1, K, -1)
    by_label = scores.gather(2, index).masked_fill(~same, -torch.inf)
    # At most one is not -inf: hypotheses have different texts.
    best, source = by_label.max(dim=1)
    taken = torch.where(same, -torch.inf, 0.0).to(scores.dtype)
    scores.scatter_add_(2, index, taken)
    return best, source


def pick_states(states: list[State], parents: Tensor, K: int) -> list[State]:
    """Pick the scorers' states of hypotheses (B, K') out of B x K."""
    first = K * torch.arange(len(parents), device=parents.device)
    return select(states, (first[:, None] + parents).flatten())


def finish(
    hypotheses: Hypotheses,
    trace: Trace,
    fusion: Fusion,
    states: list[State],
    nbest: int,
) -> list[NBest]:
    """Return each utterance's best hypotheses."""
    score = hypotheses.score
    if fusion:
        score = score + fusion.final(states).view_as(score)
    score, order = score.sort(dim=1, descending=True, stable=True)
    score, order = score[:, :nbest], order[:, :nbest]
    paths = iter(trace.unroll(hypotheses.node.gather(1, order)))
    return [
        [Hypothesis(*next(paths), total) for total in row][: max(1, _count(row))]
        for row in score.tolist()
    ]


def _count(scores: list[float]) -> int:
    """Count the hypotheses that are not unused places."""
    return sum(score > float("-inf") for score in scores)
