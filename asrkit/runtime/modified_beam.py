"""Beam search with at most one label a frame ("modified beam search")."""

from dataclasses import dataclass

import numpy as np

from asrkit.runtime.joint import Joint
from asrkit.runtime.transcript import Labels


@dataclass(frozen=True)
class Hypothesis:
    """A text, and how likely it is."""

    text: tuple[int, ...]
    """Labels."""
    times: tuple[int, ...]
    """Frame of each, on the likeliest path."""
    score: np.float32
    """Log-probability of the paths to it that were seen."""


class ModifiedBeam:
    """Sums the paths of the monotonic topology that lead to each text in the beam.

    Args:
        joint: The transducer.
        beam: Texts that are kept, K.
        prune: A text is dropped whose log-probability is worse than the best one's by
            more than this.
    """

    def __init__(self, joint: Joint, beam: int, prune: float = 8.0) -> None:
        self.joint = joint
        self.beam = beam
        self.prune = prune
        self.kept = [Hypothesis((), (), np.float32(0))]
        self.time = 0

    @property
    def labels(self) -> Labels:
        """The likeliest text so far."""
        return list(zip(self.kept[0].text, self.kept[0].times, strict=True))

    def push(self, frames: np.ndarray) -> None:
        """Take the next frames, (T, J)."""
        size = len(self.joint.start)
        for frame in frames:
            contexts = [(self.joint.start + one.text)[-size:] for one in self.kept]
            heard = self.joint(np.tile(frame, (len(contexts), 1)), contexts)
            self.kept = self._step(heard)
            self.time += 1

    def _step(self, heard: np.ndarray) -> list[Hypothesis]:
        """Return the beam after a frame's log-probabilities (K, V)."""
        scores = np.array([one.score for one in self.kept])[:, None] + heard
        times = [one.times for one in self.kept]
        row = {one.text: place for place, one in enumerate(self.kept)}
        for target, one in enumerate(self.kept):
            source = row.get(one.text[:-1]) if one.text else None
            if source is None:
                continue
            # Two paths to this text: blank after it, its last label after the text
            # before. Column 0, blank, gets the sum of both.
            last = one.text[-1]
            if scores[source, last] > scores[target, 0]:
                times[target] = (*self.kept[source].times, self.time)
            scores[target, 0] = np.logaddexp(scores[target, 0], scores[source, last])
            scores[source, last] = -np.inf
        return [
            self._extend(place, label, times[place], scores[place, label])
            for place, label in self._best(scores)
        ]

    def _extend(
        self, place: int, label: int, times: tuple[int, ...], score: np.float32
    ) -> Hypothesis:
        """Append a label to a text; blank leaves it as it is."""
        text = self.kept[place].text
        if label == 0:
            return Hypothesis(text, times, score)
        before = self.kept[place].times
        return Hypothesis((*text, label), (*before, self.time), score)

    def _best(self, scores: np.ndarray) -> list[tuple[int, int]]:
        """Return rows and columns of the K best scores (K, V), the best first."""
        flat = scores.ravel()
        count = min(self.beam, len(flat))
        best = np.argpartition(-flat, count - 1)[:count]
        best = best[np.argsort(-flat[best], kind="stable")]
        best = best[flat[best] >= flat[best[0]] - np.float32(self.prune)]
        return [divmod(place, scores.shape[1]) for place in best.tolist()]
