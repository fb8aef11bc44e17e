"""Frame-wise training on a fixed alignment (Zhou et al., Interspeech 2022, stage 1)."""

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from asrkit.losses.criterion import (
    CTC_CRITERIA,
    BatchShape,
    Criterion,
    Encoded,
    LossConfig,
)
from asrkit.losses.ctc import ctc_criterion
from asrkit.models.asr_model import AsrModel
from asrkit.transducer.frame_wise import focal_loss, frame_contexts, frame_wise_loss
from asrkit.transducer.rules import Topology
from asrkit.utils.lengths import make_pad_mask
from asrkit.utils.ranges import check_range


class ViterbiCriterion(Criterion):
    """Frame-wise cross-entropy of the joiner along the batch's alignment.

    The joiner is evaluated once a frame: (B, T, V) logits. Besides the loss it counts
    the frames, and the frames with a label, whose most probable token is right.

    Args:
        label_smoothing: Probability mass spread over all tokens.
        label_boost: Further weight of the frames with a label.
    """

    modules_used = ("predictor", "joiner")

    def __init__(self, label_smoothing: float, label_boost: float) -> None:
        super().__init__()
        self.label_smoothing = label_smoothing
        self.label_boost = label_boost

    def forward(
        self, model: AsrModel, batch: Encoded
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss summed over the batch."""
        assert batch.alignment is not None
        log_probs = path_log_probs(model, batch.enc_out, batch.alignment, batch.carried)
        losses = frame_wise_loss(
            log_probs,
            batch.alignment,
            batch.enc_lens,
            label_smoothing=self.label_smoothing,
            label_boost=self.label_boost,
        )
        padding = make_pad_mask(batch.enc_lens, log_probs.shape[1])
        right = (log_probs.detach().argmax(dim=-1) == batch.alignment) & ~padding
        return losses.sum(), {
            "frames_right": right.sum(),
            "labels_right": (right & (batch.alignment != 0)).sum(),
        }


def path_log_probs(
    model: AsrModel, enc_out: Tensor, alignment: Tensor, carried: Tensor | None
) -> Tensor:
    """Evaluate the joiner along a path.

    Args:
        model: Whose predictor and joiner.
        enc_out: (B, T, D).
        alignment: Label of every frame, 0 for none and in the padding, (B, T), int64.
        carried: Labels before the first frame, (B, C), int64; None: there are none.

    Returns:
        (B, T, V).
    """
    labels, rows = frame_contexts(alignment, carried, model.predictor.context_size)
    # The few rows of the predictor are projected before frames share them.
    pred_proj = model.joiner.pred_proj(model.predictor.contexts(labels))
    utterance = torch.arange(len(rows), device=rows.device)[:, None]
    enc_proj = model.joiner.enc_proj(enc_out)
    return model.joiner.log_probs(enc_proj, pred_proj[utterance, rows])


class FocalHeadCriterion(Criterion):
    """Focal cross-entropy of the alignment's labels, straight from an encoder block.

    The head belongs to the criterion: decoding needs none.

    Args:
        model: Whose encoder.
        depth: Share of the encoder's blocks below the head, more than 0 to 1.
        factor: How much less a frame counts that is learnt, see `focal_loss`.
    """

    modules_used = ()

    def __init__(self, model: AsrModel, *, depth: float, factor: float) -> None:
        super().__init__()
        self.head = nn.Linear(model.encoder.output_dim, model.vocab_size)
        self.depth = depth
        self.factor = factor

    def forward(
        self, model: AsrModel, batch: Encoded
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss summed over the batch."""
        assert batch.alignment is not None
        assert batch.layers
        block = batch.layers[math.ceil(self.depth * len(batch.layers)) - 1]
        losses = focal_loss(
            self.head(block), batch.alignment, batch.enc_lens, factor=self.factor
        )
        return losses.sum(), {}


@dataclass(kw_only=True)
class ViterbiLossConfig(LossConfig):
    """Frame-wise cross-entropy along an alignment, with heads on the encoder."""

    name = "viterbi"
    criteria = ("transducer", "encoder", "middle", *CTC_CRITERIA)

    weights: dict[str, float] = field(
        default_factory=lambda: {
            "transducer": 1.0,
            "encoder": 1.0,
            "middle": 0.3,
            "ctc": 0.0,
            "timing": 1.0,
        }
    )
    """Weight of each criterion: transducer (the joiner along the alignment), encoder
    and middle (focal heads on the encoder's last and middle block), ctc, inter_ctc,
    cr_ctc, timing (when labels are spoken; changes nothing else)."""
    label_smoothing: float = 0.2
    """Probability mass that the joiner's targets spread over all tokens, 0 to 1."""
    label_boost: float = 5.0
    """Weight added to the joiner's frames with a label; 0 turns it off."""
    focal_factor: float = 1.0
    """How much less a frame counts in the heads once it is learnt; 0: it counts in
    full."""

    def __post_init__(self) -> None:
        """Check the values."""
        super().__post_init__()
        check_range(self, "loss", "label_smoothing", least=0, below=1)
        check_range(self, "loss", "label_boost", "focal_factor", least=0)

    @property
    def needs(self) -> tuple[str, ...]:
        """The alignments that it trains on."""
        return ("alignments",)

    @property
    def paths(self) -> Topology:
        """One label or blank a frame."""
        return Topology.MONOTONIC

    def lattice_numbers(
        self, shape: BatchShape, vocab_size: int, joiner_dim: int
    ) -> float:
        """Return 0: a cell a frame is computed."""
        return 0.0

    def criterion(self, name: str, model: AsrModel) -> Criterion:
        """Make the joiner's criterion, a head or CTC."""
        match name:
            case "encoder":
                return FocalHeadCriterion(model, depth=1.0, factor=self.focal_factor)
            case "middle":
                return FocalHeadCriterion(model, depth=0.5, factor=self.focal_factor)
        if name in CTC_CRITERIA:
            return ctc_criterion(name, self)
        return ViterbiCriterion(self.label_smoothing, self.label_boost)
