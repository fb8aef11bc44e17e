"""Prefix beam search of the CTC head (Graves and Jaitly, 2014; Hannun et al., 2014)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from asrkit.decoding.fusion.fusion import NO_FUSION, Fusion, State
from asrkit.decoding.hypotheses import Hypotheses, finish, pick_states, same_text
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
    """Scores of paths to each text, by how they end, (B, K)."""

    blank: Tensor
    label: Tensor

    @property
    def total(self) -> Tensor:
        """Log-sum of both."""
        return torch.logaddexp(self.blank, self.label)

    def pick(self, parents: Tensor) -> "_Ends":
        """Pick by places (B, K)."""
        return _Ends(self.blank.gather(1, parents), self.label.gather(1, parents))


class CtcBeamSearch(Beam):
    """Sums the CTC paths that lead to each text in the beam."""

    @torch.inference_mode()
    def __call__(
        self, model: AsrModel, enc_out: Tensor, enc_lens: Tensor
    ) -> list[NBest]:
        """Search enc_out (B, T, D) of enc_lens (B,)."""
        B, T, _ = enc_out.shape
        places = B * self.beam
        logits = model.ctc_head(enc_out).float()
        logits[..., 0] -= self.blank_penalty
        log_probs = logits.log_softmax(dim=-1)
        none = enc_lens.new_zeros(B, 0)  # no predictor, no context
        hypotheses = Hypotheses.start(self.beam, none, enc_out.new_zeros(B, 0))
        nothing = torch.full_like(hypotheses.score, -torch.inf)
        ends = _Ends(hypotheses.score, nothing)
        states = self.fusion.start(places, enc_out.device)
        trace = Trace()
        steps = torch.arange(T, device=enc_out.device)
        for t, frame in enumerate(steps):
            running = (frame < enc_lens)[:, None]
            hypotheses, ends, states = self._step(
                hypotheses, ends, states, trace, log_probs[:, t], frame, running
            )
        return finish(hypotheses, trace, self.fusion, states, self.nbest)

    def _step(
        self,
        hypotheses: Hypotheses,
        ends: _Ends,
        states: list[State],
        trace: Trace,
        log_probs: Tensor,
        frame: Tensor,
        running: Tensor,
    ) -> tuple[Hypotheses, _Ends, list[State]]:
        """Consume a frame's log-probabilities (B, V)."""
        (B, V), K = log_probs.shape, self.beam
        last = hypotheses.last
        repeat = log_probs.gather(1, last).masked_fill(last == 0, -torch.inf)
        stay = _Ends(ends.total + log_probs[:, :1], ends.label + repeat)
        # A label after itself needs a blank between.
        before = ends.total[..., None].expand(-1, -1, V)
        before = before.scatter(2, last[..., None], ends.blank[..., None])
        ranked = (
            before.masked_fill(~running[..., None], -torch.inf) + log_probs[:, None]
        )
        if self.fusion:
            ranked = ranked + self.fusion.scores(states).view(B, K, V)
        by_label, _ = same_text(hypotheses, ranked)
        stay = _Ends(
            torch.where(running, stay.blank, ends.blank),
            torch.where(running, torch.logaddexp(stay.label, by_label), ends.label),
        )
        ranked[..., 0] = stay.total
        score, place = ranked.flatten(1).topk(K, dim=1)
        parents, labels = place // V, place % V
        stays = labels == 0
        kept = stay.pick(parents)
        ends = _Ends(
            kept.blank.masked_fill(~stays, -torch.inf),
            torch.where(stays, kept.label, score),
        )
        picked = hypotheses.pick(parents, score)
        node = trace.add(picked.node, labels, frame, log_probs.gather(1, labels))
        states = pick_states(states, parents, K)
        states = self.fusion.advance(states, labels.flatten())
        return picked.extend(labels, node), ends, states
