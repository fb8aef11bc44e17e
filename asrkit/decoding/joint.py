"""What the model and what is fused with it say about the labels of hypotheses."""

import numpy as np
import torch
from torch import Tensor

from asrkit.decoding.frontier import Frontier, NextLabels
from asrkit.decoding.fused_states import FusedStates
from asrkit.decoding.fusion.fusion import Fusion
from asrkit.models.asr_model import AsrModel


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
        self.fused = FusedStates(fusion, len(enc_out), enc_out.device)
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
