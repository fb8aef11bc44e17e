"""Greedy search with a joiner that says how many frames to move on by (TDT)."""

from typing import Any

import torch
from torch import Tensor

from asrkit.decoding.greedy_state import GreedyState
from asrkit.models.asr_model import AsrModel


class JumpingState(GreedyState):
    """Takes the likeliest token and the likeliest duration where a stream stands.

    So it looks at few of the frames (Xu et al., 2023, arXiv 2304.06795); every stream
    has its own place in time, and a step is an arc of each. A blank moves on by 1 where
    the likeliest duration is 0, which no path of training has. What a jump leads past
    the last frame is counted off the frames that come next.

    Args:
        model: The recognizer; its joiner has durations.
        batch_size: Streams, B.
        options: As of `GreedyState`.
    """

    def __init__(self, model: AsrModel, batch_size: int, **options: Any) -> None:
        super().__init__(model, batch_size, **options)
        self.durations = self.rows.new_tensor(model.joiner.durations)

    def _step(self) -> None:
        """Follow an arc of every stream that has frames left."""
        tokens, durations = self._hear()
        inside = self.place < self.enc_lens
        fused = self._fuse(tokens[:, None])[:, 0]
        # A frame that has emitted its fill emits blank now.
        none = ~inside | (self.repeats >= self.max_symbols)
        label = fused.argmax(dim=-1).masked_fill(none, 0)
        chosen = durations.argmax(dim=-1)
        stuck = (self.durations[chosen] == 0) & (label == 0)
        chosen = chosen.masked_fill(stuck, self.model.joiner.durations.index(1))
        score = fused[self.rows, label] + durations[self.rows, chosen]
        self.total += score.masked_fill(~inside, 0.0)
        self._emit(label, tokens[self.rows, label])
        jump = self.durations[chosen].masked_fill(~inside, 0)
        self.repeats.copy_(torch.where(jump > 0, 0, self.repeats + (label > 0)))
        self.place += jump

    def _hear(self) -> tuple[Tensor, Tensor]:
        """Return log-probabilities of tokens (B, V) and durations (B, N)."""
        joiner = self.model.joiner
        pred_out = self.model.predictor.after(self.context)
        index = self.place.clamp(max=self.enc_proj.shape[1] - 1)
        return joiner.arc_log_probs(
            self.enc_proj[self.rows, index],
            joiner.pred_proj(pred_out),
            blank_penalty=self.blank_penalty,
        )

    def _leave(self, enc_lens: Tensor) -> None:
        """Go on to the frames that come next, some of which may be jumped over."""
        self.place.copy_((self.place - enc_lens).clamp_(min=0))
