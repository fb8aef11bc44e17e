"""The exact transducer loss without logits in memory: tiled over time."""

from dataclasses import dataclass

from asrkit.losses.criterion import BatchShape, Criterion
from asrkit.losses.projected import ProjectedCriterion, ProjectedLossConfig
from asrkit.models.asr_model import AsrModel
from asrkit.transducer.fused import fused_loss


@dataclass(kw_only=True)
class FusedLossConfig(ProjectedLossConfig):
    """The exact transducer loss in the least memory, with CTC beside it."""

    name = "fused"

    def lattice_numbers(
        self, shape: BatchShape, vocab_size: int, joiner_dim: int
    ) -> float:
        """Return 0: its tiles are a constant, as good as."""
        return 0.0

    def transducer(self, model: AsrModel) -> Criterion:
        """Make the loss."""
        return ProjectedCriterion(
            fused_loss, self.options(model), self.durations, self.band
        )
