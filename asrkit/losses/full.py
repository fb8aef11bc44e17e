"""The exact transducer loss over the whole lattice, all logits in memory."""

from dataclasses import dataclass

from torch import Tensor

from asrkit.losses.criterion import Criterion
from asrkit.losses.transducer import (
    TransducerCriterion,
    TransducerLossConfig,
    no_autocast,
    project,
)
from asrkit.models.asr_model import AsrModel
from asrkit.transducer.full import transducer_loss


class FullCriterion(TransducerCriterion):
    """Evaluates the joiner in every cell of the lattice: (B, T, U + 1, V)."""

    def losses(
        self,
        model: AsrModel,
        enc_out: Tensor,
        enc_lens: Tensor,
        tokens: Tensor,
        token_lens: Tensor,
    ) -> Tensor:
        """Return the loss of each utterance, (B,)."""
        side = project(model, enc_out, tokens)
        logits = model.joiner(side.enc_proj[:, :, None], side.pred_proj[:, None])
        with no_autocast(logits):
            return transducer_loss(
                logits, tokens, enc_lens, token_lens, reuse_logits=True, **self.options
            )


@dataclass(kw_only=True)
class FullLossConfig(TransducerLossConfig):
    """The exact transducer loss, every logit in memory, with CTC beside it."""

    def has_peers(self) -> bool:
        """Torchaudio and k2 do."""
        return True

    def transducer(self, model: AsrModel) -> Criterion:
        """Make the loss."""
        return FullCriterion(self.options())
