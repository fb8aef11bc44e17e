"""Time-synchronous beam search with several labels a frame."""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from asrkit.decoding.fusion import (
    NO_FUSION,
    Fusion,
    State,
    concatenate_states,
    select,
)
from asrkit.decoding.hypotheses import (
    Hypotheses,
    begin,
    emit,
    finish,
    join,
    merge,
)
from asrkit.decoding.search import Beam, BeamConfig, NBest
from asrkit.decoding.trace import Trace
from asrkit.models.asr_model import AsrModel


@dataclass(kw_only=True)
class BeamSearchConfig(BeamConfig):
    """Time-synchronous beam search with several labels a frame."""

    name = "beam_search"
    needs = "transducer"

    max_symbols: int = 10
    """Most labels that one frame may emit. Short tokens come several in a frame: with
    too few the beam loses words, and a search that needs fewer takes no longer."""

    def __post_init__(self) -> None:
        """Check the values."""
        super().__post_init__()
        if self.max_symbols < 1:
            raise ValueError(
                f"decode.max_symbols must be positive, got {self.max_symbols}"
            )

    def build(self, fusion: Fusion = NO_FUSION) -> "BeamSearch":
        """Make the search."""
        return BeamSearch(
            self.beam,
            self.nbest,
            max_symbols=self.max_symbols,
            blank_penalty=self.blank_penalty,
            fusion=fusion,
        )


@dataclass(frozen=True)
class _Arrived:
    """Hypotheses that have left a frame after the same number of labels."""

    rows: Tensor
    """Their utterances, (U,)."""
    hypotheses: Hypotheses
    """K of each."""
    states: list[State]


class BeamSearch(Beam):
    """Sums the paths of the regular topology that lead to each text in the beam.

    In a frame, hypotheses emit labels one after the other; after every number of labels
    blank takes them to the next frame. All that arrive there are put together, equal
    texts added, and the best taken. A hypothesis that is worse than all of the beam
    that has arrived goes no further.

    Args:
        beam: As the rest, see `Beam`.
        nbest: Hypotheses that are returned.
        max_symbols: Most labels that one frame may emit.
        blank_penalty: Taken from blank's logit.
        fusion: Added to the scores of labels.
    """

    def __init__(
        self,
        beam: int,
        nbest: int = 1,
        *,
        max_symbols: int = 10,
        blank_penalty: float = 0.0,
        fusion: Fusion = NO_FUSION,
    ) -> None:
        super().__init__(beam, nbest, blank_penalty=blank_penalty, fusion=fusion)
        self.max_symbols = max_symbols

    @torch.inference_mode()
    def __call__(
        self, model: AsrModel, enc_out: Tensor, enc_lens: Tensor
    ) -> list[NBest]:
        """Search enc_out (B, T, D) of enc_lens (B,)."""
        enc_proj = model.joiner.enc_proj(enc_out)
        hypotheses = begin(model, enc_out, self.beam)
        states = self.fusion.start(len(enc_out) * self.beam, enc_out.device)
        trace = Trace()
        frames = torch.arange(enc_out.shape[1], device=enc_out.device)
        for t, frame in enumerate(frames):
            running = (frame < enc_lens)[:, None]
            arrived = self._frame(
                model, enc_proj[:, t], hypotheses, states, trace, frame, running
            )
            hypotheses, states = self._choose(arrived)
        return finish(hypotheses, trace, self.fusion, states, self.nbest)

    def _frame(
        self,
        model: AsrModel,
        enc_proj: Tensor,
        hypotheses: Hypotheses,
        states: list[State],
        trace: Trace,
        frame: Tensor,
        running: Tensor,
    ) -> list[_Arrived]:
        """Return what arrives at the next frame, by the number of labels emitted.

        Args:
            model: The recognizer.
            enc_proj: The frame, (B, J).
            hypotheses: K of each utterance.
            states: Of what is fused.
            trace: Gets a step for each label.
            frame: Number of the frame.
            running: Whether the utterance has this frame, (B, 1).
        """
        K, V = self.beam, model.vocab_size
        rows = torch.arange(len(enc_proj), device=frame.device)
        log_probs = join(model, enc_proj, hypotheses, self.blank_penalty)
        seen = hypotheses.score + torch.where(running, log_probs[..., 0], 0.0)
        arrived = [_Arrived(rows, replace(hypotheses, score=seen), states)]
        inside = torch.where(running, hypotheses.score, -torch.inf)
        hypotheses = replace(hypotheses, score=inside)
        for _ in range(self.max_symbols):
            ranked = self._rank(hypotheses, states, log_probs)
            score, place = ranked.flatten(1).topk(K, dim=1)
            # What is worse than a full beam that has arrived goes no further: judged
            # for each utterance, so that none depends on its batch.
            alive = score > seen.topk(K, dim=1).values[:, -1:]
            going = alive.any(dim=1).nonzero()[:, 0]
            if not len(going):
                break
            score = torch.where(alive, score, -torch.inf)[going]
            rows, seen, place = rows[going], seen[going], place[going]
            heard = log_probs.flatten(1)[going].gather(1, place)
            parents, labels = place // V, place % V
            labels = torch.where(alive[going], labels, 0)
            picked = hypotheses.pick(parents, score, going)
            node = trace.add(picked.node, labels, frame, heard)
            states = select(states, (K * going[:, None] + parents).flatten())
            states = self.fusion.advance(states, labels.flatten())
            hypotheses = emit(model, picked, labels, node)
            log_probs = join(model, enc_proj[rows], hypotheses, self.blank_penalty)
            score = score + log_probs[..., 0]
            arrived.append(_Arrived(rows, replace(hypotheses, score=score), states))
            seen = torch.cat([seen, score], dim=1)
        return arrived

    def _rank(
        self, hypotheses: Hypotheses, states: list[State], log_probs: Tensor
    ) -> Tensor:
        """Return the score of appending each label, (B, K, V); -inf for blank."""
        ranked = hypotheses.score[..., None] + log_probs
        if self.fusion:
            ranked = ranked + self.fusion.scores(states).view_as(ranked)
        ranked[..., 0] = -torch.inf
        return ranked

    def _choose(self, arrived: list[_Arrived]) -> tuple[Hypotheses, list[State]]:
        """Add equal texts and keep the K best of each utterance."""
        first = arrived[0]
        B, K = first.hypotheses.score.shape
        parts = [one.hypotheses for one in arrived]
        fields = [(h.score, h.facts, h.pred_proj) for h in parts]
        score, facts, pred_proj = (
            torch.cat([x.flatten(0, 1) for x in column])
            for column in zip(*fields, strict=True)
        )
        # Where each utterance's hypotheses stand in those; the last place is for none.
        table = first.rows.new_full((B, K * len(arrived)), len(score))
        places = torch.arange(len(score), device=score.device).view(-1, K)
        start = 0
        for i, one in enumerate(arrived):
            end = start + len(one.rows)
            table[one.rows, K * i : K * (i + 1)] = places[start:end]
            start = end
        keys = F.pad(facts[:, 0], (0, 1))
        merged = merge(F.pad(score, (0, 1), value=-torch.inf)[table], keys[table])
        best, place = merged.topk(K, dim=1)
        chosen = table.gather(1, place).clamp(max=len(score) - 1)
        together = concatenate_states([one.states for one in arrived])
        return (
            Hypotheses(best, facts[chosen], pred_proj[chosen]),
            select(together, chosen.flatten()),
        )
