"""Greedy search, batched: no loop over utterances, few steps over time."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from asrkit.decoding.cuda_graph import replayable
from asrkit.decoding.fusion.fusion import NO_FUSION, Fusion
from asrkit.decoding.search import Hypothesis, NBest, SearchConfig
from asrkit.models.asr_model import AsrModel
from asrkit.transducer.rules import Topology
from asrkit.utils.ranges import check_range

_WINDOW = 8  # frames that one step looks ahead for the next label
_MAX_SYMBOLS = 10
_STEPS_PER_LOOK = {"cpu": 1, "cuda": 4}  # steps between two looks whether all is done


@dataclass(kw_only=True)
class GreedyConfig(SearchConfig):
    """Greedy search of the transducer."""

    name = "greedy"
    needs = "transducer"

    max_symbols: int | None = None
    """Most labels that one frame may emit; null: 10, or 1 where loss.topology has no
    paths with more."""

    def __post_init__(self) -> None:
        """Check the values."""
        super().__post_init__()
        check_range(self, "decode", "max_symbols", least=1)

    def fit(self, paths: Topology | None) -> "GreedyConfig":
        """Emit at most one label a frame where that is what was trained."""
        if paths in (None, Topology.REGULAR) or self.max_symbols is not None:
            return self
        return replace(self, max_symbols=1)

    def build(self, fusion: Fusion = NO_FUSION) -> "GreedySearch":
        """Make the search."""
        return GreedySearch(
            _MAX_SYMBOLS if self.max_symbols is None else self.max_symbols,
            blank_penalty=self.blank_penalty,
            fusion=fusion,
        )


class GreedySearch:
    """Takes the likeliest arc until all frames are consumed.

    Every utterance has its own place in time. As long as it emits blank its context
    stays, so that one step evaluates the joiner on the next few frames at once and
    moves to the first label among them: about U + T / 8 steps a batch instead of
    T + U (after label looping, Xu et al., 2024).

    Args:
        max_symbols: Most labels that one frame may emit.
        blank_penalty: Taken from blank's logit.
        fusion: Added to the scores of labels.
    """

    def __init__(
        self,
        max_symbols: int,
        *,
        blank_penalty: float = 0.0,
        fusion: Fusion = NO_FUSION,
    ) -> None:
        self.max_symbols = max_symbols
        self.blank_penalty = blank_penalty
        self.fusion = fusion

    @torch.inference_mode()
    def __call__(
        self, model: AsrModel, enc_out: Tensor, enc_lens: Tensor
    ) -> list[NBest]:
        """Search enc_out (B, T, D) of enc_lens (B,)."""
        loop = _GreedyState(model, enc_out, enc_lens, self)
        # What is fused may grow and look at the device: no graph can hold that.
        step = loop.step if self.fusion else replayable(loop.step, enc_out.device)
        looks = _STEPS_PER_LOOK[enc_out.device.type]
        steps: list[tuple[Tensor, ...]] = []
        while bool((loop.frames < enc_lens).any()):
            for _ in range(looks):
                step()
                steps.append(tuple(x.clone() for x in loop.emitted))
        return _collect(steps, loop.scores())


class _GreedyState:
    """The state of all utterances; a step changes it in place.

    Args:
        model: The recognizer.
        enc_out: (B, T, D).
        enc_lens: (B,).
        search: Its settings.
    """

    def __init__(
        self, model: AsrModel, enc_out: Tensor, enc_lens: Tensor, search: GreedySearch
    ) -> None:
        self.model = model
        self.search = search
        self.enc_lens = enc_lens
        self.enc_proj = model.joiner.enc_proj(enc_out)
        self.frames = torch.zeros_like(enc_lens)
        self.repeats = torch.zeros_like(enc_lens)
        self.total = enc_out.new_zeros(len(enc_lens), dtype=torch.float32)
        size = model.predictor.context_size
        self.context = enc_lens.new_zeros(len(enc_lens), size)
        self.ahead = torch.arange(_WINDOW, device=enc_out.device)
        self.utterances = torch.arange(len(enc_lens), device=enc_out.device)
        self.states = search.fusion.start(len(enc_lens), enc_out.device)
        # Of the last step: label, its frame or -1 for none, its probability; (B,) each.
        self.emitted = (
            torch.zeros_like(enc_lens),
            torch.zeros_like(enc_lens),
            torch.zeros_like(self.total),
        )

    def step(self) -> None:
        """Move every utterance to its next label, or a window on."""
        window = self.frames[:, None] + self.ahead  # (B, W)
        inside = window < self.enc_lens[:, None]
        log_probs = self.log_probs(window)
        fused = self.fuse(log_probs)
        best = fused.argmax(dim=-1).masked_fill(~inside, 0)
        # A frame that has emitted its fill emits blank now.
        best[:, 0].masked_fill_(self.repeats >= self.search.max_symbols, 0)
        emits = best > 0
        found = emits.any(dim=1)
        jump = torch.where(found, emits.int().argmax(dim=1), _WINDOW)
        label = best.gather(1, jump.clamp(max=_WINDOW - 1)[:, None])
        passed = inside & (self.ahead <= jump[:, None])
        scores = fused.gather(2, best[..., None])[..., 0]
        self.total += scores.masked_fill(~passed, 0.0).sum(dim=1)
        self.repeats.copy_(torch.where(jump == 0, self.repeats, 0) + found)
        self.frames += jump
        last = jump.clamp(max=_WINDOW - 1)
        heard = log_probs[self.utterances, last, label[:, 0]]
        self.emitted[0].copy_(label[:, 0])
        self.emitted[1].copy_(self.frames.masked_fill(~found, -1))
        self.emitted[2].copy_(heard.exp())
        shifted = torch.cat([self.context[:, 1:], label], dim=1)
        self.context.copy_(torch.where(found[:, None], shifted, self.context))
        if self.search.fusion:
            labels = label[:, 0].masked_fill(~found, 0)
            self.states = self.search.fusion.advance(self.states, labels)

    def log_probs(self, window: Tensor) -> Tensor:
        """Return log-probabilities of frames (B, W) after the labels so far."""
        pred_out = self.model.predictor.after(self.context)
        pred_proj = self.model.joiner.pred_proj(pred_out)[:, None]
        index = window.clamp(max=self.enc_proj.shape[1] - 1)
        enc_proj = self.enc_proj[self.utterances[:, None], index]
        return self.model.joiner.log_probs(
            enc_proj, pred_proj, blank_penalty=self.search.blank_penalty
        )

    def fuse(self, log_probs: Tensor) -> Tensor:
        """Add what is fused."""
        fusion = self.search.fusion
        return log_probs + fusion.scores(self.states)[:, None] if fusion else log_probs

    def scores(self) -> list[float]:
        """Return the scores of the paths, with that of ending."""
        total = self.total
        if self.search.fusion:
            total = total + self.search.fusion.final(self.states)
        scores: list[float] = total.tolist()
        return scores


def _collect(steps: list[tuple[Tensor, ...]], scores: list[float]) -> list[NBest]:
    """Turn steps of (labels, frames, -1 for none, probabilities) into hypotheses."""
    if not steps:
        return [[Hypothesis([], [], [], score)] for score in scores]
    labels, frames, probs = (
        torch.stack(x, dim=1).cpu() for x in zip(*steps, strict=True)
    )
    there = frames >= 0
    return [
        [
            Hypothesis(
                labels[b, there[b]].tolist(),
                frames[b, there[b]].tolist(),
                probs[b, there[b]].tolist(),
                score,
            )
        ]
        for b, score in enumerate(scores)
    ]
