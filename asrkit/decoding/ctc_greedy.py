"""Greedy search of the CTC head."""

from dataclasses import dataclass

import torch
from torch import Tensor

from asrkit.decoding.fusion.fusion import NO_FUSION, Fusion
from asrkit.decoding.search import Hypothesis, NBest, SearchConfig
from asrkit.models.asr_model import AsrModel
from asrkit.utils.errors import InputError
from asrkit.utils.lengths import make_pad_mask


@dataclass(kw_only=True)
class CtcGreedyConfig(SearchConfig):
    """Greedy search of the CTC head."""

    name = "ctc_greedy"
    needs = "ctc"

    def build(self, fusion: Fusion = NO_FUSION) -> "CtcGreedySearch":
        """Make the search."""
        if fusion:
            raise InputError(
                "decode=ctc_greedy looks at one frame at a time, nothing can be fused "
                "with it; choose decode=ctc_beam"
            )
        return CtcGreedySearch(self.blank_penalty)


class CtcGreedySearch:
    """Takes the likeliest token of each frame, merges repeats and drops blank.

    Args:
        blank_penalty: Taken from blank's logit.
    """

    def __init__(self, blank_penalty: float = 0.0) -> None:
        self.blank_penalty = blank_penalty

    @torch.inference_mode()
    def __call__(
        self, model: AsrModel, enc_out: Tensor, enc_lens: Tensor
    ) -> list[NBest]:
        """Search enc_out (B, T, D) of enc_lens (B,)."""
        logits = model.ctc_head(enc_out).float()
        logits[..., 0] -= self.blank_penalty
        heard, best = logits.log_softmax(dim=-1).max(dim=-1)
        padding = make_pad_mask(enc_lens, best.shape[1])
        best = best.masked_fill(padding, 0)
        scores = heard.masked_fill(padding, 0.0).sum(dim=1).tolist()
        previous = torch.nn.functional.pad(best, (1, 0))[:, :-1]
        starts = ((best > 0) & (best != previous)).cpu()
        rows = zip(best.cpu(), heard.exp().cpu(), starts, scores, strict=True)
        return [
            [
                Hypothesis(
                    labels[start].tolist(),
                    start.nonzero()[:, 0].tolist(),
                    probs[start].tolist(),
                    score,
                )
            ]
            for labels, probs, start, score in rows
        ]
