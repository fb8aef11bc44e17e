"""Greedy search, batched: no loop over utterances, few steps over time."""

from dataclasses import dataclass, replace

from torch import Tensor

from asrkit.decoding.durations.greedy import JumpingState
from asrkit.decoding.fusion.fusion import NO_FUSION, Fusion
from asrkit.decoding.greedy_state import GreedyState
from asrkit.decoding.search import NBest, SearchConfig
from asrkit.models.asr_model import AsrModel
from asrkit.transducer.rules import Topology
from asrkit.utils.ranges import check_range

_MAX_SYMBOLS = 10


@dataclass(kw_only=True)
class GreedyConfig(SearchConfig):
    """Greedy search of the transducer."""

    name = "greedy"
    needs = "transducer"
    jumps = True

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

    A whole utterance is a stream that comes at once: both have the same steps
    (`GreedyState`), so that they find the same.

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

    def start(self, model: AsrModel, batch_size: int) -> GreedyState:
        """Return the state of streams that begin, B = batch_size."""
        kind = JumpingState if model.joiner.durations else GreedyState
        return kind(
            model,
            batch_size,
            max_symbols=self.max_symbols,
            blank_penalty=self.blank_penalty,
            fusion=self.fusion,
        )

    def __call__(
        self, model: AsrModel, enc_out: Tensor, enc_lens: Tensor
    ) -> list[NBest]:
        """Search enc_out (B, T, D) of enc_lens (B,)."""
        state = self.start(model, len(enc_lens))
        state.advance(enc_out, enc_lens)
        return state.found()
