"""The exact transducer loss utterance by utterance (Braun et al., 2023)."""

from dataclasses import dataclass

from torch import Tensor

from asrkit.losses.criterion import Criterion
from asrkit.losses.transducer import TransducerCriterion, TransducerLossConfig, project
from asrkit.models.asr_model import AsrModel
from asrkit.transducer.sample_wise import MAX_CELLS, sample_wise_loss


class SampleWiseCriterion(TransducerCriterion):
    """Holds the logits of a few utterances at a time.

    Args:
        max_cells: Cells of the lattice at a time.
        options: As of `TransducerCriterion`.
    """

    def __init__(self, max_cells: int, options: dict[str, object]) -> None:
        super().__init__(options)
        self.max_cells = max_cells

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
        return sample_wise_loss(
            *side,
            tokens,
            enc_lens,
            token_lens,
            max_cells=self.max_cells,
            **self.options,
        )


@dataclass(kw_only=True)
class SampleWiseLossConfig(TransducerLossConfig):
    """The exact transducer loss utterance by utterance, with CTC beside it."""

    max_cells: int = MAX_CELLS
    """Cells of the lattice at a time: memory is max_cells times vocabulary numbers, or
    those of the largest utterance."""

    def __post_init__(self) -> None:
        """Check the values."""
        super().__post_init__()
        if self.max_cells < 1:
            raise ValueError(f"loss.max_cells must be positive, got {self.max_cells}")

    def transducer(self, model: AsrModel) -> Criterion:
        """Make the loss."""
        return SampleWiseCriterion(self.max_cells, self.options())
