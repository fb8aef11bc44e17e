"""What hypotheses said, as linked nodes: no copies when a beam is pruned."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


class Trace:
    """Labels that hypotheses have emitted; node 0 stands before the first.

    A step adds one node for each hypothesis, used or not, so that a node's id is known
    without looking at the device.
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
        self._steps.append((parents, labels, frame, log_probs))
        return torch.where(labels > 0, new.view_as(labels), parents)

    def unroll(self, nodes: Tensor) -> list[tuple[list[int], list[int], list[float]]]:
        """Return labels, frames and probabilities that lead to each node."""
        if not self._steps:
            return [([], [], [])] * nodes.numel()
        columns = [list(column) for column in zip(*self._steps, strict=True)]
        columns[2] = [
            at.expand_as(labels)
            for at, labels in zip(columns[2], columns[1], strict=True)
        ]
        parents, labels, frames, log_probs = (_flat(column) for column in columns)
        probs = np.exp(log_probs)
        now = nodes.reshape(-1).cpu().numpy()
        chain = []
        while now.any():
            chain.append(now)
            now = parents[now]
        path = np.array(chain[::-1], dtype=np.int64).reshape(-1, now.size).T
        return [
            (
                labels[row].tolist(),
                frames[row].tolist(),
                probs[row].tolist(),
            )
            for row in (row[row > 0] for row in path)
        ]


def _flat(column: Sequence[Tensor]) -> np.ndarray:
    """Put a column's steps behind one another, the root before them."""
    first = column[0].new_zeros(1)
    return torch.cat([first, *(x.reshape(-1) for x in column)]).cpu().numpy()
