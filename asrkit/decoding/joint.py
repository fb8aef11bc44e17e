"""What the model and what is fused with it say about the labels of hypotheses."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from asrkit.decoding.frontier import Frontier
from asrkit.decoding.fusion.fusion import Fusion, concatenate_states, select
from asrkit.decoding.trace import ArrayTrace
from asrkit.models.asr_model import AsrModel


@dataclass(frozen=True)
class NextLabels:
    """What the model says about the next label of each hypothesis."""

    blank: np.ndarray
    """Log-probability of blank, (N,)."""
    scores: np.ndarray
    """Log-score of each label with what is fused, (N, V); -inf for blank."""
    log_probs: np.ndarray
    """The recognizer's log-probability of each label, (N, V)."""


class Joint:
    """Evaluates model and fusion for hypotheses, each at a frame of its own.

    The predictor sees few labels, so that the same contexts come again and again: each
    is projected once; if there are no more contexts than frames, all are at once.

    Args:
        model: The recognizer.
        enc_out: (B, T, D).
        blank_penalty: Taken from blank's logit.
        fusion: Added to the scores of labels.
    """

    def __init__(
        self, model: AsrModel, enc_out: Tensor, blank_penalty: float, fusion: Fusion
    ) -> None:
        self.model = model
        self.blank_penalty = blank_penalty
        self.fusion = fusion
        self.states = fusion.start(len(enc_out), enc_out.device)
        self.length = enc_out.shape[1]
        self.places = model.vocab_size ** np.arange(model.predictor.context_size)[::-1]
        self.contexts = model.vocab_size**model.predictor.context_size
        self.enc_proj = model.joiner.enc_proj(enc_out).flatten(0, 1)
        # The contexts that are projected, sorted, and their rows.
        self.learnt = np.zeros(0, dtype=np.int64)
        self.row = np.zeros(0, dtype=np.int64)
        self.pred_proj = self.enc_proj.new_zeros(256, self.enc_proj.shape[1])
        few = self.contexts <= len(self.enc_proj)
        self._learn(np.arange(self.contexts if few else 1))

    def __call__(self, hypotheses: Frontier, frame: np.ndarray) -> NextLabels:
        """Evaluate hypotheses at their frames (N,)."""
        place = self._tensor(hypotheses.utterance * self.length + frame)
        row = self._tensor(self._find(hypotheses.context))
        log_probs = self.model.joiner.log_probs(
            self.enc_proj.index_select(0, place),
            self.pred_proj.index_select(0, row),
            blank_penalty=self.blank_penalty,
        )
        return self._fuse(hypotheses, log_probs)

    def extend(
        self,
        hypotheses: Frontier,
        heard: NextLabels,
        wanted: np.ndarray,
        frame: np.ndarray,
        trace: ArrayTrace,
    ) -> Frontier:
        """Append labels.

        Args:
            hypotheses: N of them.
            heard: Of these.
            wanted: Which labels are appended to which, (N, V).
            frame: Their frames, (N,).
            trace: Gets the labels.
        """
        V = self.model.vocab_size
        place = np.flatnonzero(wanted)
        row, labels = np.divmod(place, V)
        fresh = hypotheses.pick(row)
        log_probs = heard.log_probs.ravel()[place]
        nodes = trace.add(fresh.node.copy(), labels, frame[row], log_probs)
        fresh.append(labels, nodes, (fresh.context * V + labels) % self.contexts)
        return replace(fresh, score=fresh.score + heard.scores.ravel()[place])

    def advance(self, waiting: Frontier, going: Frontier) -> None:
        """Move the states of `going` on by their new labels, where they have one.

        Both lists learn the new places of their states; all other states are dropped.
        """
        if not self.fusion:
            return
        extended = going.new > 0
        labels = self._tensor(going.new[extended])
        before = np.append(waiting.state, going.state[~extended])
        stay = select(self.states, self._tensor(before))
        parents = select(self.states, self._tensor(going.state[extended]))
        moved = self.fusion.advance(parents, labels)
        self.states = concatenate_states([stay, moved])
        waiting.state[:] = np.arange(len(waiting))
        going.state[~extended] = np.arange(len(waiting), len(before))
        going.state[extended] = np.arange(len(before), len(waiting) + len(going))
        going.new[:] = 0

    def end(self, hypotheses: Frontier) -> Frontier:
        """Add the score of ending."""
        if not self.fusion or not len(hypotheses):
            return hypotheses
        final = self.fusion.final(select(self.states, self._tensor(hypotheses.state)))
        return replace(hypotheses, score=hypotheses.score + final.cpu().numpy())

    def _fuse(self, hypotheses: Frontier, log_probs: Tensor) -> NextLabels:
        heard = log_probs.cpu().numpy()
        blank = heard[:, 0].copy()
        scores = heard
        if self.fusion:
            states = select(self.states, self._tensor(hypotheses.state))
            scores = (log_probs + self.fusion.scores(states)).cpu().numpy()
        scores[:, 0] = -np.inf
        return NextLabels(blank, scores, heard)

    def _find(self, contexts: np.ndarray) -> np.ndarray:
        """Return the rows of contexts, (N,)."""
        place = self.learnt.searchsorted(contexts)
        new = self.learnt.take(place, mode="clip") != contexts
        if new.any():
            self._learn(np.unique(contexts[new]))
            place = self.learnt.searchsorted(contexts)
        return self.row[place]

    def _learn(self, contexts: np.ndarray) -> None:
        """Project new contexts, (M,), each once."""
        labels = contexts[:, None] // self.places % self.model.vocab_size
        pred_out = self.model.predictor.after(self._tensor(labels))
        rows = np.arange(len(self.learnt), len(self.learnt) + len(contexts))
        while rows[-1] >= len(self.pred_proj):
            room = torch.zeros_like(self.pred_proj)
            self.pred_proj = torch.cat([self.pred_proj, room])
        self.pred_proj[rows[0] : rows[-1] + 1] = self.model.joiner.pred_proj(pred_out)
        learnt = np.append(self.learnt, contexts)
        order = learnt.argsort()
        self.learnt, self.row = learnt[order], np.append(self.row, rows)[order]

    def _tensor(self, array: np.ndarray) -> Tensor:
        return torch.from_numpy(array).to(self.enc_proj.device)
