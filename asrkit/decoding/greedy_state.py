"""Where a greedy search stands: the same for whole utterances and for streams."""

from collections.abc import Collection

import torch
from torch import Tensor

from asrkit.decoding.cuda_graph import replayable
from asrkit.decoding.fusion.fusion import Fusion, concatenate_states, select
from asrkit.decoding.search import Hypothesis, NBest
from asrkit.decoding.trace import Path
from asrkit.models.asr_model import AsrModel

_WINDOW = 8  # frames that one step looks ahead for the next label
_STEPS_PER_LOOK = {"cpu": 1, "cuda": 4}  # steps between two looks whether all is done


class GreedyState:
    """Searches B streams, bit by bit: what was found only grows.

    Every stream has its own place in time. As long as it emits blank its context
    stays, so that one step evaluates the joiner on the next few frames at once and
    moves to the first label among them: about U + T / 8 steps a batch instead of
    T + U (after label looping, Xu et al., 2024). Which frames came together changes
    nothing: an end within a window is the only thing that a step sees of it, and all
    frames are consumed before the next ones come.

    Args:
        model: The recognizer.
        batch_size: Streams, B.
        max_symbols: Most labels that one frame may emit.
        blank_penalty: Taken from blank's logit.
        fusion: Added to the scores of labels.
    """

    @torch.inference_mode()
    def __init__(
        self,
        model: AsrModel,
        batch_size: int,
        *,
        max_symbols: int,
        blank_penalty: float,
        fusion: Fusion,
    ) -> None:
        self.model = model
        self.max_symbols = max_symbols
        self.blank_penalty = blank_penalty
        self.fusion = fusion
        device = model.feature_mean.device
        self.rows = torch.arange(batch_size, device=device)
        self.ahead = torch.arange(_WINDOW, device=device)
        # Frames before those that came last, and frames of these that are consumed.
        self.consumed, self.place = self.rows * 0, self.rows * 0
        self.repeats = self.rows * 0
        self.total = torch.zeros(batch_size, device=device)
        size = model.predictor.context_size
        self.context = self.rows.new_zeros(batch_size, size)
        self.states = fusion.start(batch_size, device)
        # Of the last step: label, its frame or -1 for none, its probability; (B,) each.
        self.emitted = (self.rows * 0, self.rows * 0, torch.zeros_like(self.total))
        self.paths: list[Path] = [([], [], []) for _ in range(batch_size)]

    @torch.inference_mode()
    def advance(self, enc_out: Tensor, enc_lens: Tensor) -> None:
        """Consume the next frames of each stream.

        Args:
            enc_out: (B, T, D).
            enc_lens: (B,), int64; 0 for a stream that stands still.
        """
        self.enc_proj = self.model.joiner.enc_proj(enc_out)
        self.enc_lens = enc_lens
        # What is fused may grow and look at the device: no graph can hold that.
        step = self._step if self.fusion else replayable(self._step, enc_out.device)
        looks = _STEPS_PER_LOOK[enc_out.device.type]
        steps: list[tuple[Tensor, ...]] = []
        while bool((self.place < enc_lens).any()):
            for _ in range(looks):
                step()
                steps.append(tuple(x.clone() for x in self.emitted))
        self._collect(steps)
        self.consumed += enc_lens
        self._leave(enc_lens)

    @torch.inference_mode()
    def found(self) -> list[NBest]:
        """Return what each stream said so far, with the score of one that ends here.

        Frames count from where the stream began.
        """
        total = self.total
        if self.fusion:
            total = total + self.fusion.final(self.states)
        return [
            [Hypothesis(list(labels), list(frames), list(probs), score)]
            for (labels, frames, probs), score in zip(
                self.paths, total.tolist(), strict=True
            )
        ]

    def settled(self) -> list[int]:
        """Count the labels of each stream: all of them stay."""
        return [len(labels) for labels, _, _ in self.paths]

    @torch.inference_mode()
    def reset(self, rows: Collection[int]) -> None:
        """Begin new streams in these rows."""
        places = list(rows)
        for tensor in (self.consumed, self.place, self.total, self.context):
            tensor[places] = 0
        index = self.rows.clone()
        index[places] += len(index)
        fresh = self.fusion.start(len(index), index.device)
        self.states = select(concatenate_states([self.states, fresh]), index)
        for row in places:
            self.paths[row] = ([], [], [])

    def _step(self) -> None:
        """Move every stream to its next label, or a window on."""
        window = self.place[:, None] + self.ahead  # (B, W)
        inside = window < self.enc_lens[:, None]
        log_probs = self._log_probs(window)
        fused = self._fuse(log_probs)
        best = fused.argmax(dim=-1).masked_fill(~inside, 0)
        # A frame that has emitted its fill emits blank now.
        best[:, 0].masked_fill_(self.repeats >= self.max_symbols, 0)
        emits = best > 0
        found = emits.any(dim=1)
        jump = torch.where(found, emits.int().argmax(dim=1), _WINDOW)
        label = best.gather(1, jump.clamp(max=_WINDOW - 1)[:, None])
        passed = inside & (self.ahead <= jump[:, None])
        scores = fused.gather(2, best[..., None])[..., 0]
        # One by one, as a sum's rounding would tell where a stream was cut.
        for score in scores.masked_fill(~passed, 0.0).unbind(1):
            self.total += score
        self.repeats.copy_(torch.where(jump == 0, self.repeats, 0) + found)
        self.place += jump
        last = jump.clamp(max=_WINDOW - 1)
        heard = log_probs[self.rows, last, label[:, 0]]
        self._emit(label[:, 0], heard)

    def _leave(self, enc_lens: Tensor) -> None:
        """Go on to the frames that come next: all of these are consumed."""
        self.place.zero_()

    def _emit(self, label: Tensor, log_prob: Tensor) -> None:
        """Take labels (B,), 0 for none, at the frames where the streams stand."""
        found = label > 0
        self.emitted[0].copy_(label)
        frames = self.consumed + self.place
        self.emitted[1].copy_(frames.masked_fill(~found, -1))
        self.emitted[2].copy_(log_prob.exp())
        shifted = torch.cat([self.context[:, 1:], label[:, None]], dim=1)
        self.context.copy_(torch.where(found[:, None], shifted, self.context))
        if self.fusion:
            self.states = self.fusion.advance(self.states, label)

    def _log_probs(self, window: Tensor) -> Tensor:
        """Return log-probabilities of frames (B, W) after the labels so far."""
        pred_out = self.model.predictor.after(self.context)
        pred_proj = self.model.joiner.pred_proj(pred_out)[:, None]
        index = window.clamp(max=self.enc_proj.shape[1] - 1)
        enc_proj = self.enc_proj[self.rows[:, None], index]
        return self.model.joiner.log_probs(
            enc_proj, pred_proj, blank_penalty=self.blank_penalty
        )

    def _fuse(self, log_probs: Tensor) -> Tensor:
        """Add what is fused."""
        fusion = self.fusion
        return log_probs + fusion.scores(self.states)[:, None] if fusion else log_probs

    def _collect(self, steps: list[tuple[Tensor, ...]]) -> None:
        """Append what steps emitted: labels, frames, -1 for none, probabilities."""
        if not steps:
            return
        labels, frames, probs = (
            torch.stack(x, dim=1).cpu() for x in zip(*steps, strict=True)
        )
        there = frames >= 0
        for b, path in enumerate(self.paths):
            path[0].extend(labels[b, there[b]].tolist())
            path[1].extend(frames[b, there[b]].tolist())
            path[2].extend(probs[b, there[b]].tolist())
