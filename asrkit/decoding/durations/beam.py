"""Beam search with a joiner that says how many frames to move on by (TDT)."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from asrkit.decoding.frontier import Frontier, NextLabels
from asrkit.decoding.fusion.fusion import Fusion
from asrkit.decoding.joint import Joint
from asrkit.decoding.trace import Trace
from asrkit.models.asr_model import AsrModel


class JumpingBeamState:
    """Sums the paths of tokens and durations that lead to each text in the beam.

    Each utterance stands at a frame: its active hypotheses are extended by every arc,
    of each duration; labels of duration 0 stay active, all others wait at the frame
    where they land. Then the utterance moves on to the nearest frame where some wait:
    there equal texts are added, the best of the beam taken, and those dropped that are
    much worse than the best anywhere ahead. Frames where none land are not looked at.
    The paths are those that training sums over: labels land before the end, the last
    blank on it.

    Args:
        model: The recognizer; its joiner has durations.
        enc_out: (B, T, D).
        enc_lens: (B,).
        beam: Hypotheses that are kept in a frame, K.
        max_symbols: Most labels that one frame may emit without moving on.
        prune: How much worse than the best a hypothesis may be.
        blank_penalty: Taken from blank's logit.
        fusion: Added to the scores of labels.
    """

    def __init__(
        self,
        model: AsrModel,
        enc_out: Tensor,
        enc_lens: Tensor,
        *,
        beam: int,
        max_symbols: int,
        prune: float,
        blank_penalty: float,
        fusion: Fusion,
    ) -> None:
        self.beam = beam
        self.max_symbols = max_symbols
        self.prune = prune
        self.joint = Joint(model, len(enc_out), blank_penalty, fusion)
        self.joint.hear(enc_out)
        self.trace = Trace()
        self.durations = model.joiner.durations
        self.lens = enc_lens.cpu().numpy()
        self.depth = np.zeros_like(self.lens)  # labels emitted in this frame
        self.waiting = Frontier.start(len(self.lens))
        self.active = self.waiting.pick(np.arange(0))
        self.done: list[Frontier] = []

    @torch.inference_mode()
    def run(self) -> Frontier:
        """Search to the end; return all hypotheses that have got there."""
        while len(self.active) or len(self.waiting):
            self._land()
            if len(self.active):
                self._follow()
        return Frontier.join(self.done)

    def _land(self) -> None:
        """Move utterances without an active hypothesis to the nearest frame."""
        idle = np.ones(len(self.lens), dtype=bool)
        idle[self.active.utterance] = False
        waiting = self.waiting
        nearest = np.full(len(self.lens), np.iinfo(np.int64).max)
        np.minimum.at(nearest, waiting.utterance, waiting.frame)
        here = idle[waiting.utterance] & (waiting.frame == nearest[waiting.utterance])
        landed, self.waiting = waiting.part(here)
        landed = self._prune(landed.merge(), waiting)
        self.active = Frontier.join([self.active, landed])
        self.joint.fused.advance(self.waiting, self.active)
        self.depth[idle] = 0
        over = self.active.frame == self.lens[self.active.utterance]
        ended, self.active = self.active.part(over)
        self.done.append(self.joint.fused.end(ended))

    def _follow(self) -> None:
        """Extend the active hypotheses by every arc."""
        active = self.active
        heard, durations = self.joint.hear_durations(active, active.frame)
        labels = self._extend(active, heard)
        of_label = durations[labels.rank]  # of the hypothesis that was extended
        blanks = replace(active, score=active.score + heard.blank)
        left = self.lens[active.utterance] - active.frame
        parts, staying = [self.waiting], [self.waiting.pick(np.arange(0))]
        for i, d in enumerate(self.durations):
            moved = _move(labels, of_label[:, i], d)
            moved = moved.pick(np.flatnonzero(left[labels.rank] > d))
            (parts if d else staying).append(moved)
            if d:
                moved = _move(blanks, durations[:, i], d)
                parts.append(moved.pick(np.flatnonzero(left >= d)))
        self.waiting = Frontier.join(parts)
        fresh = Frontier.join(staying)
        more = self.depth[fresh.utterance] < self.max_symbols
        self.active = self._prune(fresh.pick(np.flatnonzero(more)), self.waiting)
        self.depth += 1

    def _extend(self, active: Frontier, heard: NextLabels) -> Frontier:
        """Append the likeliest labels to each, as many as there is room for.

        Their rank says which hypothesis they come from.
        """
        count = min(self.beam, heard.scores.shape[1] - 1)
        likely = np.argpartition(-heard.scores, count - 1, axis=1)[:, :count]
        wanted = np.zeros(heard.scores.shape, dtype=bool)
        np.put_along_axis(wanted, likely, values=True, axis=1)
        wanted &= heard.scores > -np.inf
        active.rank[:] = np.arange(len(active))
        frame = active.frame
        return active.extend(heard, wanted, frame, self.trace, self.joint.contexts)

    def _prune(self, some: Frontier, ahead: Frontier) -> Frontier:
        """Keep the best, none much worse than the best among them and those ahead."""
        best = np.full(len(self.lens), -np.inf, dtype=np.float32)
        np.maximum.at(best, ahead.utterance, ahead.score)
        kept = some.best(self.beam, self.prune)
        worst = best[kept.utterance] - np.float32(self.prune)
        return kept.pick(np.flatnonzero(~(kept.score < worst)))


def _move(hypotheses: Frontier, score: np.ndarray, d: int) -> Frontier:
    """Add the score of a duration, and move on by it."""
    moved = Frontier(hypotheses.score + score, hypotheses.facts.copy())
    moved.frame[:] += d
    return moved
