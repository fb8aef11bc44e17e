"""What a training criterion is, and the weighted sum of several."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

import torch
from torch import Tensor, nn

from asrkit.data.batches.nbest import NBestLists
from asrkit.models.asr_model import AsrModel
from asrkit.transducer.checks import trusted
from asrkit.transducer.rules import Topology
from asrkit.utils.loss_output import LossOutput
from asrkit.utils.ranges import check_range
from asrkit.utils.training_progress import TrainingProgress

CELL_NUMBERS = 8
"""That a lattice keeps a cell."""

CTC_CRITERIA = ("ctc", "inter_ctc", "cr_ctc", "timing")
"""Criteria of the CTC and timing heads, which every loss may have beside its own."""


class BatchShape(Protocol):
    """The lengths of a batch."""

    @property
    def B(self) -> int:  # noqa: N802 - the shape's letter
        """Utterances."""
        ...

    @property
    def T(self) -> int:  # noqa: N802 - the shape's letter
        """Encoder frames of the longest."""
        ...

    @property
    def U(self) -> int:  # noqa: N802 - the shape's letter
        """Tokens of the longest transcript."""
        ...

    @property
    def cells(self) -> Sequence[int]:
        """Cells of each utterance's lattice."""
        ...


class Hypothesis(Protocol):
    """What a search finds."""

    @property
    def tokens(self) -> list[int]:
        """Labels, without blank."""
        ...


class Find(Protocol):
    """Finds hypotheses of each utterance of a batch, the best first: any search."""

    def __call__(
        self, model: AsrModel, enc_out: Tensor, enc_lens: Tensor
    ) -> Sequence[Sequence[Hypothesis]]:
        """Search enc_out (B, T, D) of enc_lens (B,)."""
        ...


@dataclass(frozen=True)
class Encoded:
    """A batch behind the encoder."""

    enc_out: Tensor
    """(B, T, D)."""
    enc_lens: Tensor
    """(B,), int64."""
    tokens: Tensor
    """(B, U), int64."""
    token_lens: Tensor
    """(B,), int64."""
    layers: list[Tensor] = field(default_factory=list)
    """What each block of the encoder gave, (B, T, D) each; the last is enc_out."""
    alignment: Tensor | None = None
    """Label of every frame, 0 for none, (B, T), int64."""
    carried: Tensor | None = None
    """Labels before the first frame, (B, C), int64: of a piece of an utterance; None
    where utterances are whole."""
    nbest: NBestLists | None = None
    """Hypotheses of each utterance."""
    feats: Tensor | None = None
    """Features as the extractor gives them, of one view, (B, T_in, F)."""
    feat_lens: Tensor | None = None
    """(B,), int64."""
    views: int = 1
    """Differently augmented views of the same utterances that are in the batch, one
    after another: B is so many times the utterances."""
    _ctc: list[Tensor] = field(default_factory=list, init=False, repr=False)

    def ctc_log_probs(self, model: AsrModel) -> Tensor:
        """Return the CTC head's log-probabilities, (B, T, V), the same to all who ask.

        With a large vocabulary they cost as much as a sampled loss. Who asks first
        decides whether they have a gradient.
        """
        if not self._ctc:
            self._ctc.append(model.ctc_log_probs(self.enc_out))
        return self._ctc[0]

    @property
    def targets(self) -> tuple[Tensor, Tensor, Tensor]:
        """Tokens and both lengths, in the order in which losses take them."""
        return self.tokens, self.enc_lens, self.token_lens


class Criterion(nn.Module, ABC):
    """Maps a model and an encoded batch to a summed loss; may own parameters."""

    modules_used: ClassVar[tuple[str, ...]]
    """Parts of the model that it trains besides the encoder."""

    views: ClassVar[int] = 1
    """Views of each utterance that it compares in training."""

    apart: ClassVar[bool] = False
    """Whether it trains what no other criterion does, and nothing else: no part
    of the loss that is shown and validated, nor of the gradient's norm."""

    progress = TrainingProgress()
    """Told before every update."""

    @abstractmethod
    def forward(
        self, model: AsrModel, batch: Encoded
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss summed over the batch, a scalar, and further sums to log."""

    def take_search(self, find: Find) -> None:
        """Take the search that a loss with a `search_beam` is handed."""


@dataclass(kw_only=True)
class LossConfig(ABC):
    """Base class of the losses' settings: what is summed, with which weights.

    Each answers what others have to know of it: nobody else tells losses apart.
    """

    name: ClassVar[str]
    """Of the file in conf/loss, and in messages."""
    criteria: ClassVar[tuple[str, ...]]
    """The criteria that may have a weight."""
    takes_durations: ClassVar[bool] = False
    """Whether it trains a joiner with durations."""
    weights: dict[str, float] = field(default_factory=dict)
    """Weight of each criterion, e.g. ctc; one without a weight is not computed."""
    cr_ramp: float = 0.1
    """Share of the training in which the criterion cr_ctc grows to its weight."""
    ctc_first: float = 0.0
    """Share of the training in which only the CTC criteria are computed: the encoder
    learns where labels are before the transducer's own criterion sets in."""

    def __post_init__(self) -> None:
        """Check the weights against what there is."""
        for name, weight in self.weights.items():
            if name not in self.criteria:
                raise ValueError(
                    f"loss.weights.{name}: no such criterion here; choose from "
                    f"{', '.join(self.criteria)}"
                )
            if not weight >= 0:
                raise ValueError(
                    f"loss.weights.{name} must be at least 0, got {weight:g}"
                )
        check_range(self, "loss", "cr_ramp", least=0, most=1)
        if not any(w for name, w in self.weights.items() if name != "timing"):
            raise ValueError("loss.weights: give at least one criterion a weight")
        check_range(self, "loss", "ctc_first", least=0, below=1)
        if self.ctc_first and not {"ctc", "inter_ctc"} & {*self.trained}:
            raise ValueError(
                f"loss.ctc_first={self.ctc_first:g}: only CTC criteria are computed at "
                "first, and none has a weight; give loss.weights.ctc one, or set "
                "loss.ctc_first=0"
            )

    @property
    def needs(self) -> tuple[str, ...]:
        """What its stage has to give besides audio and text: alignments, nbest."""
        return ()

    @property
    def phases(self) -> tuple[float, ...]:
        """Shares of the training, 0 to 1, from which on it computes something else."""
        return tuple(sorted({0.0, self.ctc_first}))

    @property
    def paths(self) -> Topology | None:
        """Paths that it trains a transducer on; None: it trains no transducer."""
        return None

    @property
    def trained(self) -> list[str]:
        """Names of the criteria that have a weight."""
        return [name for name, weight in self.weights.items() if weight > 0]

    @property
    def search_beam(self) -> int:
        """Hypotheses that a search has to find for it in training; 0: it needs none."""
        return 0

    @property
    def list_size(self) -> int:
        """Hypotheses of an utterance that it trains on, about; 0: on none."""
        return 0

    @abstractmethod
    def lattice_numbers(
        self, shape: BatchShape, vocab_size: int, joiner_dim: int
    ) -> float:
        """Return the numbers that are kept for cells of the lattice at a time.

        What has a fixed size a frame, or is a constant, does not count.

        Args:
            shape: Lengths of a batch.
            vocab_size: V, and what a joiner's durations add to it.
            joiner_dim: J.
        """

    def joiner_outputs(self, frames: int, labels: int, vocab_size: int) -> float:
        """Return how many outputs of the joiner an utterance's loss looks at.

        That is what its time grows with; a cell a frame, unless a loss says otherwise.
        """
        return float(frames * vocab_size)

    def without_search(self) -> "LossConfig":
        """Return the same loss on lists that are given."""
        return self

    @abstractmethod
    def criterion(self, name: str, model: AsrModel) -> Criterion:
        """Make one of `criteria` for a model."""

    def check_durations(self, durations: Sequence[int]) -> None:
        """Raise ValueError if a joiner's durations cannot be trained with it."""
        if durations and self.paths is not None and not self.takes_durations:
            raise ValueError(
                f"loss={self.name} trains no joiner with durations (joiner.durations="
                f"{[*durations]}); choose loss=fused, sample_wise, full, mbr or mwer, "
                "or joiner.durations=[]"
            )

    def build(self, model: AsrModel) -> "WeightedCriterion":
        """Make the weighted sum for a model.

        Raises:
            ValueError: The model's joiner is not what it trains.
        """
        self.check_durations(model.joiner.durations)
        criteria = {name: self.criterion(name, model) for name in self.trained}
        weights = {name: self.weights[name] for name in criteria}
        return WeightedCriterion(criteria, weights, self.ctc_first)


class WeightedCriterion(nn.Module):
    """A weighted sum of criteria over one pass of the encoder, per encoder frame.

    Args:
        criteria: By name.
        weights: Of the same names.
        ctc_first: Share of the training in which those of CTC alone are computed;
            validation computes all.
    """

    def __init__(
        self,
        criteria: Mapping[str, Criterion],
        weights: Mapping[str, float],
        ctc_first: float,
    ) -> None:
        super().__init__()
        self.criteria = nn.ModuleDict(criteria)
        self.weights = dict(weights)
        self.ctc_first = ctc_first
        self.share = 0.0
        self._modules_used = {n for c in criteria.values() for n in c.modules_used}
        self._apart = [name for name, one in criteria.items() if one.apart]
        self.modules_apart = {
            n for name in self._apart for n in criteria[name].modules_used
        }
        """Parts of the model that are trained apart from the others."""

    @property
    def modules_used(self) -> set[str]:
        """Parts of the model that are trained."""
        return self._modules_used | {"encoder"}

    @property
    def views(self) -> int:
        """Views of each utterance that training needs."""
        return max(criterion.views for criterion in self._criteria())

    def announce(self, progress: TrainingProgress) -> None:
        """Tell all criteria how far training is."""
        self.share = progress.share
        for criterion in self._criteria():
            criterion.progress = progress

    def take_search(self, find: Find) -> None:
        """Hand a search to the criteria that need one."""
        for criterion in self._criteria():
            criterion.take_search(find)

    @trusted()  # the trainer made the tensors
    def forward(self, model: AsrModel, batch: Encoded) -> LossOutput:
        """Return the weighted sum."""
        stats: dict[str, Tensor] = {}
        weighted: list[Tensor] = []
        apart: list[Tensor] = []
        ctc_only = self.training and self.share < self.ctc_first
        for name, criterion in self.criteria.items():
            if ctc_only and name not in CTC_CRITERIA:
                continue
            loss, further = criterion(model, batch)
            mine = apart if name in self._apart else weighted
            mine.append(self.weights[name] * loss)
            stats |= {name: loss.detach(), **further}
        loss = torch.stack(weighted).sum()
        stats["loss"] = loss.detach()
        for one in apart:  # its gradient, and 0
            loss = loss + (one - one.detach())
        stats["frames"] = batch.enc_lens.sum()
        stats["tokens"] = batch.token_lens.sum()
        return LossOutput(loss, stats["frames"], stats)

    def _criteria(self) -> list[Criterion]:
        return [one for one in self.criteria.values() if isinstance(one, Criterion)]
