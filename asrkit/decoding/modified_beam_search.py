"""Beam search with at most one label a frame ("modified beam search")."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from asrkit.decoding.frontier import Frontier, NextLabels, collect
from asrkit.decoding.fusion.fusion import NO_FUSION, Fusion
from asrkit.decoding.joint import Joint
from asrkit.decoding.search import NBest, TransducerBeam, TransducerBeamConfig
from asrkit.decoding.trace import Trace
from asrkit.models.asr_model import AsrModel


@dataclass(kw_only=True)
class ModifiedBeamSearchConfig(TransducerBeamConfig):
    """Beam search with at most one label a frame."""

    name = "modified_beam_search"

    def build(self, fusion: Fusion = NO_FUSION) -> "ModifiedBeamSearch":
        """Make the search."""
        return ModifiedBeamSearch(
            self.beam,
            self.nbest,
            prune=self.prune,
            blank_penalty=self.blank_penalty,
            fusion=fusion,
        )


class ModifiedBeamSearch(TransducerBeam):
    """Sums the paths of the monotonic topology that lead to each text in the beam.

    Every frame, each hypothesis emits blank or a label. Two paths to one text are the
    text itself with blank, and the text before with the last label: they are added
    before the best are taken. Searches the paths that loss.topology=MONOTONIC trains;
    models of the regular topology rarely emit two labels in a frame either.
    """

    @torch.inference_mode()
    def __call__(
        self, model: AsrModel, enc_out: Tensor, enc_lens: Tensor
    ) -> list[NBest]:
        """Search enc_out (B, T, D) of enc_lens (B,)."""
        joint = Joint(model, enc_out, self.blank_penalty, self.fusion)
        trace = Trace()
        lens = enc_lens.cpu().numpy()
        active = Frontier.start(len(lens))
        none = active.pick(np.arange(0))
        done = []
        for t in range(lens.max(initial=0) + 1):
            ended, active = active.part((lens == t)[active.utterance])
            done.append(joint.fused.end(ended))
            if len(active):
                active = self._step(joint, active, t, trace, len(lens))
                joint.fused.advance(none, active)
        return collect(Frontier.join(done), trace, self.nbest)

    def _step(
        self, joint: Joint, active: Frontier, t: int, trace: Trace, B: int
    ) -> Frontier:
        """Consume frame t of B utterances."""
        frame = np.full(len(active), t)
        heard = joint(active, frame)
        stay = self._stay(active, heard, t, trace, B)
        scores = stay.spread(stay.score, B, self.beam, -np.inf)
        # K texts are there already: nothing that is worse than all of them counts.
        pruned = scores.max(axis=1) - np.float32(self.prune)
        worst = np.maximum(scores.min(axis=1), pruned)[active.utterance]
        wanted = heard.scores > (worst - active.score)[:, None]
        fresh = active.extend(heard, wanted, frame, trace, joint.contexts)
        return Frontier.join([stay, fresh]).best(self.beam, self.prune)

    def _stay(
        self, active: Frontier, heard: NextLabels, t: int, trace: Trace, B: int
    ) -> Frontier:
        """Return the hypotheses after the paths that keep or reach their texts.

        A text is reached by blank from itself and by its last label from the text
        before: both paths count. Takes those labels out of `heard`.
        """
        score, facts = active.score + heard.blank, active.facts.copy()
        source, target = active.predecessors(B, self.beam)
        last = active.last[target]
        by_label = active.score[source] + heard.scores[source, last]
        by_blank = score[target]
        # alpha(t + 1, y) = alpha(t, y) p(blank | t, y) + alpha(t, y') p(y_U | t, y'),
        # with y' the text y without its last label: the monotonic lattice of a text, as
        # far as the beam holds its beginnings.
        score[target] = np.logaddexp(by_blank, by_label)
        stay = Frontier(score, facts)
        # The better path tells when the last label came.
        better = np.flatnonzero(by_label > by_blank)
        labels, log_probs = last[better], heard.log_probs[source, last][better]
        before = active.node[source[better]]
        nodes = trace.add(before, labels, np.full(len(better), t), log_probs)
        stay.node[target[better]] = nodes
        heard.scores[source, last] = -np.inf
        return stay
