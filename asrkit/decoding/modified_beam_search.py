"""Beam search with at most one label a frame ("modified beam search")."""

from dataclasses import dataclass

from torch import Tensor

from asrkit.decoding.fusion.fusion import NO_FUSION, Fusion
from asrkit.decoding.modified_beam_state import ModifiedBeamState
from asrkit.decoding.search import NBest, TransducerBeam, TransducerBeamConfig
from asrkit.models.asr_model import AsrModel


@dataclass(kw_only=True)
class ModifiedBeamSearchConfig(TransducerBeamConfig):
    """Beam search with at most one label a frame."""

    name = "modified_beam_search"

    def build(self, fusion: Fusion = NO_FUSION) -> "ModifiedBeamSearch":
        """Make the search."""
        return ModifiedBeamSearch(
            self.beam,
            self.nbest,
            prune=self.prune,
            blank_penalty=self.blank_penalty,
            fusion=fusion,
        )


class ModifiedBeamSearch(TransducerBeam):
    """Sums the paths of the monotonic topology that lead to each text in the beam.

    Every frame, each hypothesis emits blank or a label. Two paths to one text are the
    text itself with blank, and the text before with the last label: they are added
    before the best are taken. Searches the paths that loss.topology=MONOTONIC trains;
    models of the regular topology rarely emit two labels in a frame either.

    A whole utterance is a stream that comes at once (`ModifiedBeamState`).
    """

    def start(self, model: AsrModel, batch_size: int) -> ModifiedBeamState:
        """Return the state of streams that begin, B = batch_size."""
        return ModifiedBeamState(
            model,
            batch_size,
            beam=self.beam,
            nbest=self.nbest,
            prune=self.prune,
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
