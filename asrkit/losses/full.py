"""The exact transducer loss over the whole lattice, all logits in memory."""

from dataclasses import dataclass

from torch import Tensor

from asrkit.losses.criterion import CELL_NUMBERS, BatchShape, Criterion, Encoded
from asrkit.losses.exact import ExactCriterion, ExactLossConfig
from asrkit.losses.transducer import no_autocast, project
from asrkit.models.asr_model import AsrModel
from asrkit.transducer.full import transducer_loss


class FullCriterion(ExactCriterion):
    """Evaluates the joiner in every cell of the lattice: (B, T, U + 1, V)."""

    def losses(self, model: AsrModel, batch: Encoded) -> Tensor:
        """Return the loss of each utterance, (B,)."""
        enc_proj, pred_proj, *_ = project(model, batch)
        moves = self.draw_moves(model.joiner)
        logits = model.joiner(enc_proj[:, :, None], pred_proj[:, None])
        logits = moves.first(logits, -1)
        options = {**self.options, **moves.options}
        with no_autocast(logits):
            return transducer_loss(logits, *batch.targets, reuse_logits=True, **options)


@dataclass(kw_only=True)
class FullLossConfig(ExactLossConfig):
    """The exact transducer loss, every logit in memory, with CTC beside it."""

    name = "full"

    def lattice_numbers(
        self, shape: BatchShape, vocab_size: int, joiner_dim: int
    ) -> float:
        """Return logits, activations and lattice of the padded batch."""
        padded = shape.B * shape.T * (shape.U + 1)
        return float(padded * (vocab_size + joiner_dim + CELL_NUMBERS))

    def has_peers(self) -> bool:
        """Torchaudio and k2 do."""
        return True

    def transducer(self, model: AsrModel) -> Criterion:
        """Make the loss."""
        return FullCriterion(self.options(model), self.durations)
