"""The exact transducer loss without logits in memory: tiled over time."""

from dataclasses import dataclass

from torch import Tensor

from asrkit.losses.criterion import Criterion
from asrkit.losses.transducer import TransducerCriterion, TransducerLossConfig, project
from asrkit.models.asr_model import AsrModel
from asrkit.transducer.fused import fused_loss


class FusedCriterion(TransducerCriterion):
    """Holds a tile of the lattice's logits at a time."""

    def losses(
        self,
        model: AsrModel,
        enc_out: Tensor,
        enc_lens: Tensor,
        tokens: Tensor,
        token_lens: Tensor,
    ) -> Tensor:
        """Return the loss of each utterance, (B,)."""
        side = project(model, enc_out, tokens).arguments()
        return fused_loss(*side, tokens, enc_lens, token_lens, **self.options)


@dataclass(kw_only=True)
class FusedLossConfig(TransducerLossConfig):
    """The exact transducer loss in the least memory, with CTC beside it."""

    def transducer(self, model: AsrModel) -> Criterion:
        """Make the loss."""
        return FusedCriterion(self.options())
