"""What the model and what is fused with it say about the labels of hypotheses."""

import numpy as np
import torch
from torch import Tensor

from asrkit.decoding.frontier import Frontier, NextLabels
from asrkit.decoding.fused_states import FusedStates
from asrkit.decoding.fusion.fusion import Fusion
from asrkit.models.asr_model import AsrModel

_ROOM = 256  # contexts to begin with
_REMEMBERED = 16384  # contexts that are not forgotten when new frames come


class Joint:
    """Evaluates model and fusion for hypotheses, each at a frame of its own.

    The predictor sees few labels, so that the same contexts come again and again: each
    is projected once; if there are no more contexts than frames, all are at once.

    Args:
        model: The recognizer.
        B: Utterances.
        blank_penalty: Taken from blank's logit.
        fusion: Added to the scores of labels.
    """

    def __init__(
        self, model: AsrModel, B: int, blank_penalty: float, fusion: Fusion
    ) -> None:
        self.model = model
        self.blank_penalty = blank_penalty
        self.device = model.feature_mean.device
        self.fused = FusedStates(fusion, B, self.device)
        self.places = model.vocab_size ** np.arange(model.predictor.context_size)[::-1]
        self.contexts = model.vocab_size**model.predictor.context_size
        self._forget()

    def hear(self, enc_out: Tensor) -> None:
        """Take the frames (B, T, D) that hypotheses are at from now on."""
        self.length = enc_out.shape[1]
        self.enc_proj = self.model.joiner.enc_proj(enc_out).flatten(0, 1)
        if len(self.learnt) > _REMEMBERED:
            self._forget()
        if self.contexts <= len(self.enc_proj):
            self._find(np.arange(self.contexts))

    def __call__(self, hypotheses: Frontier, frame: np.ndarray) -> NextLabels:
        """Evaluate hypotheses at their frames (N,)."""
        log_probs = self.model.joiner.log_probs(
            *self._sides(hypotheses, frame), blank_penalty=self.blank_penalty
        )
        return self._fuse(hypotheses, log_probs)

    def hear_durations(
        self, hypotheses: Frontier, frame: np.ndarray
    ) -> tuple[NextLabels, np.ndarray]:
        """Do the same; return the log-probabilities of durations, too, (N, Q)."""
        log_probs, durations = self.model.joiner.arc_log_probs(
            *self._sides(hypotheses, frame), blank_penalty=self.blank_penalty
        )
        return self._fuse(hypotheses, log_probs), durations.cpu().numpy()

    def _sides(self, hypotheses: Frontier, frame: np.ndarray) -> tuple[Tensor, Tensor]:
        """Return both sides of the joiner, (N, J)."""
        place = self._tensor(hypotheses.utterance * self.length + frame)
        row = self._tensor(self._find(hypotheses.context))
        return self.enc_proj.index_select(0, place), self.pred_proj.index_select(0, row)

    def _fuse(self, hypotheses: Frontier, log_probs: Tensor) -> NextLabels:
        heard = log_probs.cpu().numpy()
        blank = heard[:, 0].copy()
        scores = heard
        if self.fused:
            scores = (log_probs + self.fused.scores(hypotheses)).cpu().numpy()
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

    def _forget(self) -> None:
        """Have no context projected but the one without labels."""
        # The contexts that are projected, sorted, and their rows.
        self.learnt = self.row = np.zeros(1, dtype=np.int64)
        first = self._project(self.learnt)
        self.pred_proj = first.repeat(_ROOM, 1)

    def _project(self, contexts: np.ndarray) -> Tensor:
        """Project contexts (M,), (M, J)."""
        labels = contexts[:, None] // self.places % self.model.vocab_size
        pred_out = self.model.predictor.after(self._tensor(labels))
        projected: Tensor = self.model.joiner.pred_proj(pred_out)
        return projected

    def _learn(self, contexts: np.ndarray) -> None:
        """Project new contexts, (M,), each once."""
        rows = np.arange(len(self.learnt), len(self.learnt) + len(contexts))
        while rows[-1] >= len(self.pred_proj):
            room = torch.zeros_like(self.pred_proj)
            self.pred_proj = torch.cat([self.pred_proj, room])
        self.pred_proj[rows[0] : rows[-1] + 1] = self._project(contexts)
        learnt = np.append(self.learnt, contexts)
        order = learnt.argsort()
        self.learnt, self.row = learnt[order], np.append(self.row, rows)[order]

    def _tensor(self, array: np.ndarray) -> Tensor:
        return torch.from_numpy(array).to(self.device)
