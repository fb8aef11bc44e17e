"""Greedy search of the CTC head."""

from dataclasses import dataclass

import torch
from torch import Tensor

from asrkit.decoding.search import Found, SearchConfig
from asrkit.models.asr_model import AsrModel
from asrkit.utils.lengths import make_pad_mask


@dataclass(kw_only=True)
class CtcGreedyConfig(SearchConfig):
    """Greedy search of the CTC head."""

    name = "ctc_greedy"
    needs = "ctc"

    def build(self) -> "CtcGreedySearch":
        """Make the search."""
        return CtcGreedySearch()


class CtcGreedySearch:
    """Takes the likeliest token of each frame, merges repeats and drops blank."""

    @torch.inference_mode()
    def __call__(
        self, model: AsrModel, enc_out: Tensor, enc_lens: Tensor
    ) -> list[Found]:
        """Search enc_out (B, T, D) of enc_lens (B,)."""
        best = model.ctc_head(enc_out).argmax(dim=-1)
        best = best.masked_fill(make_pad_mask(enc_lens, best.shape[1]), 0)
        previous = torch.nn.functional.pad(best, (1, 0))[:, :-1]
        starts = ((best > 0) & (best != previous)).cpu()
        return [
            Found(row[start].tolist(), start.nonzero()[:, 0].tolist())
            for row, start in zip(best.cpu(), starts, strict=True)
        ]
