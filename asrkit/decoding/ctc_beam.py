"""Prefix beam search of the CTC head (Graves and Jaitly, 2014; Hannun et al., 2014)."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from asrkit.decoding.frontier import Frontier, NextLabels, collect
from asrkit.decoding.fused_states import FusedStates
from asrkit.decoding.fusion.fusion import NO_FUSION, Fusion
from asrkit.decoding.search import Beam, BeamConfig, NBest
from asrkit.decoding.trace import Trace
from asrkit.models.asr_model import AsrModel


@dataclass(kw_only=True)
class CtcBeamConfig(BeamConfig):
    """Prefix beam search of the CTC head."""

    name = "ctc_beam"
    needs = "ctc"

    def build(self, fusion: Fusion = NO_FUSION) -> "CtcBeamSearch":
        """Make the search."""
        return CtcBeamSearch(
            self.beam, self.nbest, blank_penalty=self.blank_penalty, fusion=fusion
        )


@dataclass(frozen=True)
class _Ends:
    """Scores of the paths to each text, by how they end, (N,)."""

    blank: np.ndarray
    label: np.ndarray

    def pick(self, index: np.ndarray) -> "_Ends":
        """Pick by places."""
        return _Ends(self.blank[index], self.label[index])


class CtcBeamSearch(Beam):
    """Sums the CTC paths that lead to each text in the beam.

    The score of a hypothesis is the sum of its paths that end in blank and of those
    that end in its last label: that label after itself needs a blank between.
    """

    @torch.inference_mode()
    def __call__(
        self, model: AsrModel, enc_out: Tensor, enc_lens: Tensor
    ) -> list[NBest]:
        """Search enc_out (B, T, D) of enc_lens (B,)."""
        log_probs = self._log_probs(model, enc_out)
        lens = enc_lens.cpu().numpy()
        active = Frontier.start(len(lens))
        ends = _Ends(active.score, np.full_like(active.score, -np.inf))
        fused = FusedStates(self.fusion, len(lens), enc_out.device)
        none = active.pick(np.arange(0))
        trace = Trace()
        done = []
        for t in range(lens.max(initial=0) + 1):
            over = (lens == t)[active.utterance]
            ended, active = active.part(over)
            ends = ends.pick(np.flatnonzero(~over))
            done.append(fused.end(ended))
            if len(active):
                heard = log_probs[active.utterance, t]
                active, ends = self._step(active, ends, heard, t, fused, trace)
                fused.advance(none, active)
        return collect(Frontier.join(done), trace, self.nbest)

    def _log_probs(self, model: AsrModel, enc_out: Tensor) -> np.ndarray:
        """Return the head's log-probabilities, (B, T, V), on the host."""
        logits = model.ctc_head(enc_out).float()
        logits[..., 0] -= self.blank_penalty
        log_probs: np.ndarray = logits.log_softmax(dim=-1).cpu().numpy()
        return log_probs

    def _step(
        self,
        active: Frontier,
        ends: _Ends,
        log_probs: np.ndarray,
        t: int,
        fused: FusedStates,
        trace: Trace,
    ) -> tuple[Frontier, _Ends]:
        """Consume each hypothesis' log-probabilities of frame t, (N, V)."""
        B = 1 + active.utterance.max()
        last, rows = active.last, np.arange(len(active))
        scores = log_probs + fused.scores(active).cpu().numpy() if fused else log_probs
        heard = NextLabels(log_probs[:, 0], scores.copy(), log_probs)
        heard.scores[rows, last] += ends.blank - active.score
        heard.scores[:, 0] = -np.inf
        blank = active.score + heard.blank
        label = ends.label + log_probs[rows, last]
        # A text is reached by its last label from the text before, too.
        source, target = active.predecessors(B, self.beam)
        by_label = active.score[source] + heard.scores[source, last[target]]
        label[target] = np.logaddexp(label[target], by_label)
        heard.scores[source, last[target]] = -np.inf
        stay = replace(active, score=np.logaddexp(blank, label))
        total = active.score[:, None] + heard.scores
        wanted = total >= self._worst(stay, total)[:, None]
        frame = np.full(len(active), t)
        fresh = active.extend(heard, wanted, frame, trace, contexts=1)
        both = Frontier.join([stay, fresh])
        chosen = both.choose(self.beam, np.inf)
        by_blank = np.append(blank, np.full(len(fresh), -np.inf, dtype=blank.dtype))
        ends = _Ends(by_blank, np.append(label, fresh.score))
        return both.pick(chosen), ends.pick(chosen)

    def _worst(self, stay: Frontier, total: np.ndarray) -> np.ndarray:
        """Return what an extension has to reach to be among the K best, (N,).

        There are K better ones already among the hypotheses that stay and each one's
        best extension: with spiky log-probabilities few of N V extensions are left.
        """
        B, K = 1 + stay.utterance.max(), self.beam
        sides = stay.score, total.max(axis=1)
        table = np.concatenate([stay.spread(x, B, K, -np.inf) for x in sides], axis=1)
        worst = np.partition(table, K, axis=1)[:, K]
        return np.maximum(worst, np.finfo(worst.dtype).min)[stay.utterance]
