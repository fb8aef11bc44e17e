"""What hypotheses said, as linked nodes: no copies when a beam is pruned."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

Path = tuple[list[int], list[int], list[float]]
"""Labels, their frames and their probabilities."""


class ArrayTrace:
    """Labels that hypotheses have emitted; node 0 stands before the first."""

    def __init__(self) -> None:
        self._steps: list[tuple[np.ndarray, ...]] = []
        self._nodes = 1

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

    def unroll(self, nodes: np.ndarray) -> list[Path]:
        """Return what leads to each node."""
        columns = zip(*self._steps, strict=True)
        return _follow([np.concatenate(column) for column in columns], nodes)


class Trace:
    """The same in tensors, where each step adds a node for each hypothesis.

    Used or not, so that a node's id is known without looking at the device.
    """

    def __init__(self) -> None:
        self._steps: list[tuple[Tensor, ...]] = []
        self._nodes = 1

    def add(
        self, parents: Tensor, labels: Tensor, frame: Tensor, log_probs: Tensor
    ) -> Tensor:
        """Return the nodes after a step, of the shape of `parents`.

        Args:
            parents: Node before.
            labels: Label that was emitted, 0 for none: then the node stays.
            frame: Encoder frame of the labels, a scalar.
            log_probs: The recognizer's log-probability of each label.
        """
        start, self._nodes = self._nodes, self._nodes + labels.numel()
        new = torch.arange(start, self._nodes, device=labels.device)
        self._steps.append((parents, labels, frame.expand_as(labels), log_probs))
        return torch.where(labels > 0, new.view_as(labels), parents)

    def unroll(self, nodes: Tensor) -> list[Path]:
        """Return what leads to each node."""
        columns = zip(*self._steps, strict=True)
        flat = [
            torch.cat([x.reshape(-1) for x in column]).cpu().numpy()
            for column in columns
        ]
        return _follow(flat, nodes.reshape(-1).cpu().numpy())


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
