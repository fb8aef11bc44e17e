"""The pruned transducer loss (Kuang et al., 2022): a linear joiner finds the band."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from asrkit.losses.criterion import CELL_NUMBERS, BatchShape, Criterion, Encoded
from asrkit.losses.transducer import (
    TransducerLossConfig,
    no_autocast,
    project,
)
from asrkit.models.asr_model import AsrModel
from asrkit.transducer.pruned import gather_ranges, prune_ranges, pruned_loss
from asrkit.transducer.rules import drop_impossible
from asrkit.transducer.sample_wise import sample_wise_loss
from asrkit.transducer.simple import simple_loss
from asrkit.utils.ranges import check_range
from asrkit.utils.training_progress import TrainingProgress


@dataclass(frozen=True)
class Scales:
    """Weights of the two losses, which move during the first updates."""

    simple: float
    """Of the simple loss after the warm-up; it starts at 1."""
    warmup: int
    """Updates until the simple loss is down at `simple` and the pruned up at 1; in a
    short training it ends after a fifth."""

    def at(self, progress: TrainingProgress) -> tuple[float, float]:
        """Return the weights of the simple and the pruned loss."""
        # As in icefall: until the simple loss finds bands that hold the paths, the
        # pruned one hardly counts.
        done = max(progress.update / max(self.warmup, 1), 5.0 * progress.share)
        share = min(1.0, done) if self.warmup else 1.0
        return 1.0 - share * (1.0 - self.simple), 0.1 + 0.9 * share


class PrunedCriterion(Criterion):
    """Simple loss over the whole lattice, and the joiner's loss inside its band.

    The projections of the simple loss belong to the criterion: decoding needs none.

    Args:
        model: Whose encoder and predictor are projected.
        s_range: Label counts per frame.
        am_scale: Smoothing of the simple loss.
        lm_scale: Smoothing of the simple loss.
        scales: Weights of the two losses.
        max_cells: Cells at a time, utterance by utterance; None: the batch at once.
        options: Keyword arguments of the losses, as `TransducerLossConfig.options`.
    """

    modules_used = ("predictor", "joiner")

    def __init__(
        self,
        model: AsrModel,
        *,
        s_range: int,
        am_scale: float,
        lm_scale: float,
        scales: Scales,
        max_cells: int | None,
        options: dict[str, Any],
    ) -> None:
        super().__init__()
        self.options = options
        self.simple_am = nn.Linear(model.encoder.output_dim, model.vocab_size)
        self.simple_lm = nn.Linear(model.predictor.output_dim, model.vocab_size)
        self.s_range = s_range
        self.am_scale = am_scale
        self.lm_scale = lm_scale
        self.scales = scales
        self.max_cells = max_cells

    def forward(
        self, model: AsrModel, batch: Encoded
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the weighted sum of both losses over the batch."""
        losses, ranges = self.simple(model, batch)
        simple = drop_impossible(losses)[0].sum()
        losses, count = drop_impossible(self.pruned(model, batch, ranges))
        pruned = losses.sum()
        progress = self.progress if self.training else TrainingProgress(share=1.0)
        simple_scale, pruned_scale = self.scales.at(progress)
        return simple_scale * simple + pruned_scale * pruned, {
            "simple_loss": simple.detach(),
            "pruned_loss": pruned.detach(),
            "without_path": count,
        }

    def simple(self, model: AsrModel, batch: Encoded) -> tuple[Tensor, Tensor]:
        """Return the simple losses (B,) and the band (B, T, R) that they find."""
        am = self.simple_am(batch.enc_out)
        lm = self.simple_lm(model.predictor(batch.tokens))
        shared = ("topology", "delay_penalty", "backend", "reduction", "impossible")
        with no_autocast(am):
            losses, blank, label = simple_loss(
                am.float(),
                lm.float(),
                *batch.targets,
                return_occupation=True,
                am_scale=self.am_scale,
                lm_scale=self.lm_scale,
                **{name: self.options[name] for name in shared},
            )
            ranges = prune_ranges(
                blank,
                label,
                batch.enc_lens,
                batch.token_lens,
                s_range=self.s_range,
                topology=self.options["topology"],
            )
        return losses, ranges

    def pruned(self, model: AsrModel, batch: Encoded, ranges: Tensor) -> Tensor:
        """Return the loss of each utterance inside the band, (B,)."""
        sides = enc_proj, pred_proj, *_ = project(model, batch)
        if self.max_cells is not None:
            return sample_wise_loss(
                *sides,
                *batch.targets,
                ranges=ranges,
                max_cells=self.max_cells,
                **self.options,
            )
        band = gather_ranges(pred_proj, ranges)
        logits = model.joiner(enc_proj[:, :, None], band)
        with no_autocast(logits):
            return pruned_loss(
                logits,
                batch.tokens,
                ranges,
                batch.enc_lens,
                batch.token_lens,
                reuse_logits=True,
                **self.options,
            )


@dataclass(kw_only=True)
class PrunedLossConfig(TransducerLossConfig):
    """The pruned transducer loss, with CTC beside it."""

    name = "pruned"

    s_range: int = 5
    """Label counts per frame."""
    am_scale: float = 0.0
    """Share of the acoustic side alone in the simple loss, 0 to 1."""
    lm_scale: float = 0.25
    """Share of the label side alone in the simple loss, 0 to 1."""
    simple_loss_scale: float = 0.5
    """Weight of the simple loss after the warm-up."""
    warmup_updates: int = 2000
    """Updates in which the simple loss comes down from 1 and the pruned up from 0.1; at
    most a fifth of the training."""
    max_cells: int | None = None
    """Cells of the band at a time, utterance by utterance; null: the batch at once."""

    def __post_init__(self) -> None:
        """Check the values."""
        super().__post_init__()
        check_range(self, "loss", "s_range", least=2)
        check_range(self, "loss", "simple_loss_scale", "warmup_updates", least=0)
        check_range(self, "loss", "max_cells", least=1)
        check_range(self, "loss", "am_scale", "lm_scale", least=0, most=1)
        if self.am_scale + self.lm_scale > 1:
            raise ValueError(
                f"loss.am_scale {self.am_scale} and loss.lm_scale {self.lm_scale} must "
                "be shares of 1"
            )

    def lattice_numbers(
        self, shape: BatchShape, vocab_size: int, joiner_dim: int
    ) -> float:
        """Return those of the simple loss: the band has a fixed size a frame."""
        return float(shape.B * shape.T * (shape.U + 1) * CELL_NUMBERS)

    def joiner_outputs(self, frames: int, labels: int, vocab_size: int) -> float:
        """Return those of the band."""
        return float(frames * min(self.s_range, labels + 1) * vocab_size)

    def transducer(self, model: AsrModel) -> Criterion:
        """Make the loss."""
        return PrunedCriterion(
            model,
            s_range=self.s_range,
            am_scale=self.am_scale,
            lm_scale=self.lm_scale,
            scales=Scales(self.simple_loss_scale, self.warmup_updates),
            max_cells=self.max_cells,
            options=self.options(model),
        )
