"""Beam search with at most one label a frame ("modified beam search")."""

from dataclasses import dataclass

import torch
from torch import Tensor

from asrkit.decoding.fusion import NO_FUSION, Fusion, State
from asrkit.decoding.hypotheses import (
    Hypotheses,
    begin,
    emit,
    finish,
    join,
    pick_states,
    same_text,
)
from asrkit.decoding.search import Beam, BeamConfig, NBest
from asrkit.decoding.trace import Trace
from asrkit.models.asr_model import AsrModel


@dataclass(kw_only=True)
class ModifiedBeamSearchConfig(BeamConfig):
    """Beam search with at most one label a frame."""

    name = "modified_beam_search"
    needs = "transducer"

    def build(self, fusion: Fusion = NO_FUSION) -> "ModifiedBeamSearch":
        """Make the search."""
        return ModifiedBeamSearch(
            self.beam, self.nbest, blank_penalty=self.blank_penalty, fusion=fusion
        )


class ModifiedBeamSearch(Beam):
    """Sums the paths of the monotonic topology that lead to each text in the beam.

    Every frame, each hypothesis emits blank or a label. Two paths to one text are the
    text itself with blank, and the text before with the last label: they are added
    before the best are taken. Searches the paths that loss.topology=MONOTONIC trains;
    models of the regular topology rarely emit two labels in a frame of 40 ms either.
    """

    @torch.inference_mode()
    def __call__(
        self, model: AsrModel, enc_out: Tensor, enc_lens: Tensor
    ) -> list[NBest]:
        """Search enc_out (B, T, D) of enc_lens (B,)."""
        places = len(enc_out) * self.beam
        enc_proj = model.joiner.enc_proj(enc_out)
        hypotheses = begin(model, enc_out, self.beam)
        states = self.fusion.start(places, enc_out.device)
        trace = Trace()
        frames = torch.arange(enc_out.shape[1], device=enc_out.device)
        for t, frame in enumerate(frames):
            log_probs = join(model, enc_proj[:, t], hypotheses, self.blank_penalty)
            running = (frame < enc_lens)[:, None]
            hypotheses, states = self._step(
                model, hypotheses, states, trace, log_probs, frame, running
            )
        return finish(hypotheses, trace, self.fusion, states, self.nbest)

    def _step(
        self,
        model: AsrModel,
        hypotheses: Hypotheses,
        states: list[State],
        trace: Trace,
        log_probs: Tensor,
        frame: Tensor,
        running: Tensor,
    ) -> tuple[Hypotheses, list[State]]:
        """Consume a frame.

        Args:
            model: The recognizer.
            hypotheses: K of each utterance.
            states: Of what is fused.
            trace: Gets a step.
            log_probs: Of this frame, (B, K, V).
            frame: Its number.
            running: Whether the utterance has this frame, (B, 1).
        """
        B, K, V = log_probs.shape
        score = hypotheses.score
        blank = score + torch.where(running, log_probs[..., 0], 0.0)
        ranked = torch.where(running, score, -torch.inf)[..., None] + log_probs
        if self.fusion:
            ranked = ranked + self.fusion.scores(states).view(B, K, V)
        # A text is reached by blank from itself and by its last label from the text
        # before: both paths count.
        by_label, source = same_text(hypotheses, ranked)
        ranked[..., 0] = torch.logaddexp(blank, by_label)
        score, place = ranked.flatten(1).topk(K, dim=1)
        parents, labels = place // V, place % V
        picked = hypotheses.pick(parents, score)
        # The better path tells when the last label came.
        better = torch.where(by_label > blank, source, -1).gather(1, parents)
        relabelled = (labels == 0) & (better >= 0)
        came_from = torch.where(relabelled, better, parents)
        emitted = torch.where(relabelled, picked.last, labels)
        heard = log_probs.flatten(1).gather(1, came_from * V + emitted)
        before = hypotheses.node.gather(1, came_from)
        node = trace.add(before, emitted, frame, heard)
        states = pick_states(states, parents, K)
        states = self.fusion.advance(states, labels.flatten())
        return emit(model, picked, labels, node), states
