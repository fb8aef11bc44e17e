"""What hypotheses said, as linked nodes: no copies when a beam is pruned."""

from collections.abc import Sequence

import numpy as np

Path = tuple[list[int], list[int], list[float]]
"""Labels, their frames and their probabilities."""


class Trace:
    """Labels that hypotheses have emitted; node 0 stands before the first."""

    def __init__(self) -> None:
        self._steps: list[tuple[np.ndarray, ...]] = []
        self._nodes = 1

    def __len__(self) -> int:
        """Count the nodes."""
        return self._nodes

    def add(
        self,
        parents: np.ndarray,
        labels: np.ndarray,
        frames: np.ndarray,
        log_probs: np.ndarray,
    ) -> np.ndarray:
        """Return new nodes, (N,).

        Args:
            parents: Node before, (N,).
            labels: Label that was emitted, (N,).
            frames: Encoder frame of the label, (N,).
            log_probs: The recognizer's log-probability of the label, (N,).
        """
        start, self._nodes = self._nodes, self._nodes + len(labels)
        self._steps.append((parents, labels, frames, log_probs))
        return np.arange(start, self._nodes)

    def keep(self, nodes: np.ndarray) -> np.ndarray:
        """Drop all nodes but these (N,) and those before them; return their new names.

        Nodes that are named twice get the same name.
        """
        if not self._steps:
            return nodes
        parents, *rest = (np.insert(x, 0, 0) for x in self._columns())
        needed = np.zeros(self._nodes, dtype=bool)
        needed[0] = True
        ends = nodes
        while len(ends):
            needed[ends] = True
            ends = np.unique(parents[ends])
            ends = ends[~needed[ends]]
        names = needed.cumsum() - 1
        there = np.flatnonzero(needed)[1:]
        self._steps = [(names[parents[there]], *(x[there] for x in rest))]
        self._nodes = 1 + len(there)
        renamed: np.ndarray = names[nodes]
        return renamed

    def _columns(self) -> list[np.ndarray]:
        """Return parents, labels, frames and log-probabilities, but for node 0's."""
        return [np.concatenate(column) for column in zip(*self._steps, strict=True)]

    def unroll(self, nodes: np.ndarray) -> list[Path]:
        """Return what leads to each node."""
        return _follow(self._columns(), nodes)


def _follow(columns: Sequence[np.ndarray], nodes: np.ndarray) -> list[Path]:
    """Go from nodes back to the first; the columns do not have node 0."""
    if not columns:
        return [([], [], [])] * len(nodes)
    parents, labels, frames, log_probs = (np.insert(x, 0, 0) for x in columns)
    probs = np.exp(log_probs)
    chain = []
    while nodes.any():
        chain.append(nodes)
        nodes = parents[nodes]
    path = np.array(chain[::-1], dtype=np.int64).reshape(-1, nodes.size).T
    return [
        (labels[row].tolist(), frames[row].tolist(), probs[row].tolist())
        for row in (row[row > 0] for row in path)
    ]
