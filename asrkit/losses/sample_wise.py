"""The exact transducer loss utterance by utterance (Braun et al., 2023)."""

from dataclasses import dataclass

from asrkit.losses.criterion import CELL_NUMBERS, BatchShape, Criterion
from asrkit.losses.projected import ProjectedCriterion, ProjectedLossConfig
from asrkit.models.asr_model import AsrModel
from asrkit.transducer.sample_wise import MAX_CELLS, sample_wise_loss
from asrkit.utils.ranges import check_range


@dataclass(kw_only=True)
class SampleWiseLossConfig(ProjectedLossConfig):
    """The exact transducer loss utterance by utterance, with CTC beside it."""

    name = "sample_wise"

    max_cells: int = MAX_CELLS
    """Cells of the lattice at a time: memory is max_cells times vocabulary numbers, or
    those of the largest utterance."""

    def __post_init__(self) -> None:
        """Check the values."""
        super().__post_init__()
        check_range(self, "loss", "max_cells", least=1)

    def lattice_numbers(
        self, shape: BatchShape, vocab_size: int, joiner_dim: int
    ) -> float:
        """Return those of a group of utterances, or of the largest."""
        group = max(self.max_cells, *shape.cells)
        return float(min(group, sum(shape.cells)) * (vocab_size + CELL_NUMBERS))

    def transducer(self, model: AsrModel) -> Criterion:
        """Make the loss."""
        options = {**self.options(model), "max_cells": self.max_cells}
        return ProjectedCriterion(sample_wise_loss, options, self.durations, self.band)
