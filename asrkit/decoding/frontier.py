"""The hypotheses of a beam, all utterances together."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from asrkit.decoding.search import Hypothesis, NBest
from asrkit.decoding.trace import Trace

_FACTOR = 6364136223846793005  # of the hash, an odd number
_UTTERANCE, _RANK, _KEY, _BEFORE, _LAST, _NODE, _CONTEXT, _STATE, _NEW, _FRAME = range(
    10
)


@dataclass(frozen=True)
class NextLabels:
    """What the model says about the next label of each hypothesis."""

    blank: np.ndarray
    """Log-probability of blank, (N,)."""
    scores: np.ndarray
    """Log-score of each label with what is fused, (N, V); -inf for blank."""
    log_probs: np.ndarray
    """The recognizer's log-probability of each label, (N, V)."""


@dataclass(frozen=True)
class Frontier:
    """The hypotheses that a search goes on with, those of all utterances in one list.

    Each utterance has as many as are worth it. The list lives in NumPy arrays on the
    host: it is short, and a step on it is many small operations, each of which takes a
    fifth of the time that it takes in tensors. What is large, the evaluation of the
    model for all of them, happens in tensors on the device.
    """

    score: np.ndarray
    """(N,), float32."""
    facts: np.ndarray
    """The rest, side by side so that one operation picks all of it, (N, 10), int64."""

    @classmethod
    def start(cls, B: int) -> "Frontier":
        """Return one empty hypothesis for each utterance."""
        facts = np.zeros((B, 10), dtype=np.int64)
        facts[:, _UTTERANCE] = facts[:, _STATE] = np.arange(B)
        facts[:, _KEY] = 1 + np.arange(B)
        return cls(np.zeros(B, dtype=np.float32), facts)

    @classmethod
    def join(cls, parts: Sequence["Frontier"]) -> "Frontier":
        """Put lists behind one another."""
        return cls(
            np.concatenate([part.score for part in parts]),
            np.concatenate([part.facts for part in parts]),
        )

    def __len__(self) -> int:
        """Count the hypotheses, N."""
        return len(self.score)

    @property
    def utterance(self) -> np.ndarray:
        """Place of its utterance in the batch, (N,)."""
        return self.facts[:, _UTTERANCE]

    @property
    def rank(self) -> np.ndarray:
        """Place among those of its utterance, 0 to K - 1, the best first, (N,)."""
        return self.facts[:, _RANK]

    @property
    def key(self) -> np.ndarray:
        """Hash of utterance and labels, (N,): equal for equal texts."""
        return self.facts[:, _KEY]

    @property
    def before(self) -> np.ndarray:
        """Hash without the last label, 0 where there is none, (N,)."""
        return self.facts[:, _BEFORE]

    @property
    def last(self) -> np.ndarray:
        """Last label, 0 for none, (N,)."""
        return self.facts[:, _LAST]

    @property
    def node(self) -> np.ndarray:
        """Place in the trace, (N,)."""
        return self.facts[:, _NODE]

    @property
    def context(self) -> np.ndarray:
        """The predictor's context as a number of base V, (N,)."""
        return self.facts[:, _CONTEXT]

    @property
    def state(self) -> np.ndarray:
        """Row of the states of what is fused, (N,)."""
        return self.facts[:, _STATE]

    @property
    def new(self) -> np.ndarray:
        """Label that is not in these states yet, 0 for none, (N,)."""
        return self.facts[:, _NEW]

    @property
    def frame(self) -> np.ndarray:
        """Frame at which it stands, (N,), where hypotheses jump; else 0."""
        return self.facts[:, _FRAME]

    def pick(self, index: np.ndarray) -> "Frontier":
        """Pick hypotheses by their places."""
        return Frontier(self.score.take(index), self.facts.take(index, axis=0))

    def part(self, chosen: np.ndarray) -> tuple["Frontier", "Frontier"]:
        """Part those that are chosen, (N,), from the others."""
        return self.pick(np.flatnonzero(chosen)), self.pick(np.flatnonzero(~chosen))

    def spread(self, values: np.ndarray, B: int, K: int, rest: float) -> np.ndarray:
        """Put a value of each hypothesis (N,) into (B, K), and `rest` elsewhere."""
        table = np.full((B, K), rest, dtype=values.dtype)
        table[self.utterance, self.rank] = values
        return table

    def predecessors(self, B: int, K: int) -> tuple[np.ndarray, np.ndarray]:
        """Return pairs of places: a text without its last label, and the text."""
        keys = self.spread(self.key, B, K, -1)
        rows = self.spread(np.arange(len(self)), B, K, -1)
        same = self.before[:, None] == keys[self.utterance]
        target, rank = np.nonzero(same)
        return rows[self.utterance[target], rank], target

    def extend(
        self,
        heard: NextLabels,
        wanted: np.ndarray,
        frame: np.ndarray,
        trace: Trace,
        contexts: int,
    ) -> "Frontier":
        """Return hypotheses with labels appended.

        Args:
            heard: Of these hypotheses.
            wanted: Which labels are appended to which, (N, V).
            frame: Their frames, (N,).
            trace: Gets the labels.
            contexts: How many contexts the predictor tells apart; 1 without one.
        """
        V = wanted.shape[1]
        place = np.flatnonzero(wanted)
        row, labels = np.divmod(place, V)
        fresh = self.pick(row)
        log_probs = heard.log_probs.ravel()[place]
        nodes = trace.add(fresh.node.copy(), labels, frame[row], log_probs)
        fresh.append(labels, nodes, (fresh.context * V + labels) % contexts)
        return replace(fresh, score=fresh.score + heard.scores.ravel()[place])

    def append(
        self, labels: np.ndarray, nodes: np.ndarray, contexts: np.ndarray
    ) -> None:
        """Append a label to each hypothesis, in place.

        Args:
            labels: (N,).
            nodes: Of the trace, (N,).
            contexts: Of the predictor afterwards, (N,).
        """
        key = self.key.copy()
        self.before[:] = key
        self.key[:] = key * _FACTOR + labels
        self.last[:] = self.new[:] = labels
        self.node[:] = nodes
        self.context[:] = contexts

    def best(self, K: int, prune: float) -> "Frontier":
        """Keep the K best of each utterance that are not worse by more than `prune`."""
        return self.pick(self.choose(K, prune))

    def choose(self, K: int, prune: float) -> np.ndarray:
        """Rank each utterance's hypotheses, in place; return the places of the best.

        Those are K of each that are not worse than its best by more than `prune`.
        """
        order = np.lexsort((-self.score, self.utterance))
        utterance, score = self.utterance[order], self.score[order]
        first = np.searchsorted(utterance, utterance)
        rank = np.arange(len(order)) - first
        worst = score[first] - np.float32(prune)
        self.rank[order] = rank
        chosen: np.ndarray = order[(rank < K) & ~(score < worst)]
        return chosen

    def merge(self) -> "Frontier":
        """Add equal texts; the best one stands for all of them."""
        if not len(self):
            return self
        order = np.lexsort((-self.score, self.key))
        key = self.key[order]
        first = np.flatnonzero(np.append(True, key[1:] != key[:-1]))
        merged = self.pick(order[first])
        return replace(merged, score=np.logaddexp.reduceat(self.score[order], first))


def collect(hypotheses: Frontier, trace: Trace, nbest: int) -> list[NBest]:
    """Return each utterance's best hypotheses; each utterance has some."""
    order = np.lexsort((-hypotheses.score, hypotheses.utterance))
    hypotheses = hypotheses.pick(order)
    paths = trace.unroll(hypotheses.node)
    _, counts = np.unique(hypotheses.utterance, return_counts=True)
    found = [
        Hypothesis(*path, score)
        for path, score in zip(paths, hypotheses.score.tolist(), strict=True)
    ]
    starts = np.append(0, counts.cumsum()).tolist()
    return [found[start : min(end, start + nbest)] for start, end in pairwise(starts)]
