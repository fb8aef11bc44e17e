"""The exact transducer loss over the whole lattice, with CTC beside it."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from asrkit.losses.criterion import Criterion, LossConfig
from asrkit.losses.ctc import CtcCriterion
from asrkit.models.asr_model import AsrModel
from asrkit.transducer.backends import Backend
from asrkit.transducer.full import transducer_loss


class FullCriterion(Criterion):
    """Evaluates the joiner in every cell of the lattice: (B, T, U + 1, V).

    Args:
        backend: Who computes the loss from the logits.
    """

    modules_used = ("predictor", "joiner")

    def __init__(self, backend: Backend) -> None:
        super().__init__()
        self.backend = backend

    def forward(
        self,
        model: AsrModel,
        enc_out: Tensor,
        enc_lens: Tensor,
        tokens: Tensor,
        token_lens: Tensor,
    ) -> Tensor:
        """Return the loss summed over the batch."""
        enc_proj = model.joiner.enc_proj(enc_out)
        pred_proj = model.joiner.pred_proj(model.predictor(tokens))
        logits = model.joiner(enc_proj[:, :, None], pred_proj[:, None])
        # The lattice is computed in float32, whatever autocast says.
        with torch.autocast(logits.device.type, enabled=False):
            return transducer_loss(
                logits, tokens, enc_lens, token_lens, backend=self.backend
            )


@dataclass(kw_only=True)
class FullLossConfig(LossConfig):
    """The exact transducer loss, every logit in memory, with CTC beside it."""

    weights: dict[str, float] = field(
        default_factory=lambda: {"transducer": 1.0, "ctc": 0.3}
    )
    """Weight of each criterion: transducer, ctc."""
    backend: Backend = Backend.AUTO
    """AUTO, TORCH or TORCHAUDIO."""

    def criteria(self) -> dict[str, Criterion]:
        """Make every criterion that may have a weight."""
        return {"transducer": FullCriterion(self.backend), "ctc": CtcCriterion()}
