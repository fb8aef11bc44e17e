"""Losses that evaluate the joiner themselves, over all paths or those of a band."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from asrkit.losses.band import BandConfig, Source, band_by_ctc, band_of
from asrkit.losses.criterion import Encoded
from asrkit.losses.exact import DurationTraining, ExactCriterion, ExactLossConfig
from asrkit.losses.transducer import project
from asrkit.models.asr_model import AsrModel


class ProjectedCriterion(ExactCriterion):
    """A loss that evaluates the joiner itself, from its projections.

    Args:
        function: `fused_loss` or one with its arguments.
        options: Its keyword arguments.
        durations: How those of a joiner are trained.
        band: Near which alignments training begins. Validation takes all paths.
    """

    def __init__(
        self,
        function: Callable[..., Tensor],
        options: dict[str, Any],
        durations: DurationTraining,
        band: BandConfig,
    ) -> None:
        super().__init__(options, durations)
        self.function = function
        self.band = band

    def losses(self, model: AsrModel, batch: Encoded) -> Tensor:
        """Return the loss of each utterance, (B,)."""
        moves = self.draw_moves(model.joiner)
        options = {**self.options, **moves.options}
        radius = self.band.radius(self.progress) if self.training else None
        if radius is not None:
            topology = options["topology"]
            band = (
                band_by_ctc(model, batch, radius, topology)
                if self.band.source is Source.CTC
                else band_of(batch, radius, topology)
            )
            options = {**options, "ranges": band.ranges, "allowed": band.allowed}
        *sides, weight, bias = project(model, batch)
        outputs = moves.first(weight, 0), moves.first(bias, 0)
        return self.function(*sides, *outputs, *batch.targets, **options)


@dataclass(kw_only=True)
class ProjectedLossConfig(ExactLossConfig):
    """Settings that the losses from projections share."""

    band: BandConfig = field(default_factory=BandConfig)
    """Train near alignments first."""

    def __post_init__(self) -> None:
        """Check that what aligns is trained."""
        super().__post_init__()
        by_ctc = self.band.radii and self.band.source is Source.CTC
        if by_ctc and not self.weights.get("ctc"):
            raise ValueError(
                "loss.band.source=CTC aligns with the CTC head: give loss.weights.ctc "
                "a weight, or choose STORED"
            )

    def check_durations(self, durations: Sequence[int]) -> None:
        """Raise ValueError for durations in a band."""
        super().check_durations(durations)
        if durations and self.band.radii:
            raise ValueError(
                f"loss.band.radii={self.band.radii} and joiner.durations="
                f"{[*durations]}: a band holds no paths with durations; set one to []"
            )

    @property
    def needs(self) -> tuple[str, ...]:
        """Alignments, if there is a band and the model does not make them itself."""
        stored = self.band.radii and self.band.source is Source.STORED
        return ("alignments",) if stored else ()

    @property
    def phases(self) -> tuple[float, ...]:
        """The first band, and what follows the last."""
        later = {self.band.share} if self.band.radii else set()
        return tuple(sorted({*super().phases, *later}))
