"""Searches for labels, frame by frame: what they are given may come in pieces."""

from typing import Protocol

import numpy as np

from asrkit.runtime.joint import Joint
from asrkit.runtime.transcript import Labels

_WINDOW = 8  # frames that are looked at together for the next label


class Search(Protocol):
    """Finds the labels of one recording or stream."""

    @property
    def labels(self) -> Labels:
        """What was found so far."""
        ...

    def push(self, frames: np.ndarray) -> None:
        """Take the next frames of the encoder's output, (T, J) or (T, V)."""
        ...


class Greedy:
    """Takes a transducer's likeliest label, at most one a frame.

    Args:
        joint: The transducer.
    """

    def __init__(self, joint: Joint) -> None:
        self.joint = joint
        self.context = joint.start
        self.labels: list[tuple[int, int]] = []
        self.time = 0

    def push(self, frames: np.ndarray) -> None:
        """Take the next frames, (T, J)."""
        place = 0
        while place < len(frames):
            # The context stays while blank is emitted: several frames in one call.
            window = frames[place : place + _WINDOW]
            log_probs = self.joint(window, [self.context] * len(window))
            best = log_probs.argmax(axis=1)
            emits = np.flatnonzero(best)
            if not len(emits):
                place += len(window)
                continue
            label, place = int(best[emits[0]]), place + int(emits[0])
            self.labels.append((label, self.time + place))
            self.context = (*self.context[1:], label)
            place += 1
        self.time += len(frames)


class CtcGreedy:
    """Takes CTC's likeliest tokens, merges repeats and drops blank."""

    def __init__(self) -> None:
        self.labels: list[tuple[int, int]] = []
        self.time = self.last = 0

    def push(self, frames: np.ndarray) -> None:
        """Take the next log-probabilities, (T, V)."""
        for label in frames.argmax(axis=1).tolist():
            if label not in (0, self.last):
                self.labels.append((label, self.time))
            self.last = label
            self.time += 1
