"""Minimum Bayes risk over n-best lists made beforehand (Zhou et al., 2022)."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

from torch import Tensor

from asrkit.data.batches.nbest import NBestLists, reference_lists
from asrkit.losses.criterion import BatchShape, Criterion, Encoded
from asrkit.losses.transducer import TransducerLossConfig
from asrkit.models.asr_model import AsrModel
from asrkit.transducer.fused import fused_loss
from asrkit.transducer.nbest_mbr import nbest_mbr_loss
from asrkit.transducer.rules import Topology
from asrkit.utils.errors import InputError
from asrkit.utils.ranges import check_range


class MbrCriterion(Criterion):
    """Sums expected risks, and a little of the reference's loss.

    Args:
        renorm_scale: As of `nbest_mbr_loss`.
        reference_weight: As of `nbest_mbr_loss`.
        options: Keyword arguments of the loss, as `TransducerLossConfig.options`.
    """

    modules_used = ("predictor", "joiner")

    def __init__(
        self,
        *,
        renorm_scale: float,
        reference_weight: float,
        options: dict[str, Any],
    ) -> None:
        super().__init__()
        self.renorm_scale = renorm_scale
        self.reference_weight = reference_weight
        self.options = options

    def lists(self, model: AsrModel, batch: Encoded) -> NBestLists:
        """Return the batch's lists; validation may go without, on the references alone.

        Raises:
            InputError: There are none in training.
        """
        if batch.nbest is not None:
            return batch.nbest
        if self.training:
            raise InputError(
                "loss=mbr trains on n-best lists, but the training batches have none: "
                "let a stage of the kind nbest come first, or choose loss=mwer, which "
                "makes its lists itself"
            )
        return reference_lists(batch.tokens, batch.token_lens)

    def forward(
        self, model: AsrModel, batch: Encoded
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss summed over the batch."""
        lists = self.lists(model, batch)
        pred_out = model.predictor(lists.tokens.flatten(0, 1))
        joiner = model.joiner
        found = nbest_mbr_loss(
            joiner.enc_proj(batch.enc_out),
            joiner.pred_proj(pred_out).unflatten(0, lists.tokens.shape[:2]),
            joiner.output.weight,
            joiner.output.bias,
            lists.tokens,
            batch.enc_lens,
            lists.token_lens,
            lm_scores=lists.lm_scores,
            risks=lists.risks,
            counts=lists.counts,
            renorm_scale=self.renorm_scale,
            reference_weight=self.reference_weight,
            loss=fused_loss,
            durations=joiner.durations,
            **self.options,
        )
        return found.loss, {
            "expected_risk": found.expected_risk.sum(),
            "without_path": found.without_path,
        }


@dataclass(kw_only=True)
class MbrLossConfig(TransducerLossConfig):
    """Minimum Bayes risk over n-best lists made beforehand."""

    name = "mbr"
    takes_durations = True
    # Not cr_ctc: lists of hypotheses have one view.
    criteria: ClassVar[tuple[str, ...]] = ("transducer", "ctc", "inter_ctc", "timing")

    weights: dict[str, float] = field(
        default_factory=lambda: {"transducer": 1.0, "ctc": 0.0, "timing": 1.0}
    )
    """Weight of each criterion: transducer (the expected risk), ctc, timing
    (when labels are spoken; changes nothing else)."""
    topology: Topology = Topology.MONOTONIC
    """As the model was trained before."""
    renorm_scale: float = 2.5
    """Sharpens the distribution over a list: factor of its log-scores."""
    reference_weight: float = 0.05
    """Weight of the reference's transducer loss."""

    def __post_init__(self) -> None:
        """Check the values."""
        super().__post_init__()
        check_range(self, "loss", "renorm_scale", above=0)
        check_range(self, "loss", "reference_weight", least=0)

    @property
    def needs(self) -> tuple[str, ...]:
        """The lists that it trains on."""
        return ("nbest",)

    @property
    def list_size(self) -> int:
        """As many as the stage nbest lists unless told otherwise."""
        return 4

    def lattice_numbers(
        self, shape: BatchShape, vocab_size: int, joiner_dim: int
    ) -> float:
        """Return 0: each hypothesis is computed as by loss=fused."""
        return 0.0

    def transducer(self, model: AsrModel) -> Criterion:
        """Make the loss."""
        return MbrCriterion(
            renorm_scale=self.renorm_scale,
            reference_weight=self.reference_weight,
            options=self.options(model),
        )
