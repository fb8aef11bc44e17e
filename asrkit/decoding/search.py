"""What every search owes, and gives."""

from abc import ABC, abstractmethod
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import ClassVar, Protocol, runtime_checkable

from torch import Tensor

from asrkit.decoding.fusion.fusion import NO_FUSION, Fusion, FusionConfig, lm_name
from asrkit.decoding.scoring.error_unit import ErrorUnit
from asrkit.models.asr_model import AsrModel
from asrkit.text.tokenizer import Tokenizer
from asrkit.transducer.rules import Topology
from asrkit.utils.ranges import check_range


@dataclass(frozen=True)
class Hypothesis:
    """One hypothesis of an utterance."""

    tokens: list[int]
    """Labels, without blank."""
    frames: list[int]
    """Encoder frame at which each label came."""
    confidences: list[float]
    """Probability of each label where it came, 0 to 1."""
    score: float
    """Log-probability of all paths that were seen, with what was fused."""
    words: list[str] | None = None
    """Words that a search with a lexicon chose; None: the tokenizer tells."""
    ends: list[int] | None = None
    """Frame after the last of each label, where an alignment tells; None: each label
    is one frame long."""

    def text(self, tokenizer: Tokenizer) -> str:
        """Return the words as text."""
        if self.words is None:
            return tokenizer.decode(self.tokens)
        return " ".join(self.words)


NBest = list[Hypothesis]
"""Hypotheses of one utterance, the best first; at least one."""


class Search(Protocol):
    """Finds the best hypotheses of each utterance of a batch."""

    def __call__(
        self, model: AsrModel, enc_out: Tensor, enc_lens: Tensor
    ) -> list[NBest]:
        """Search enc_out (B, T, D) of enc_lens (B,)."""
        ...


class SearchState(Protocol):
    """Where a search of B streams stands."""

    def advance(self, enc_out: Tensor, enc_lens: Tensor) -> None:
        """Consume the next frames of each stream.

        Args:
            enc_out: (B, T, D).
            enc_lens: (B,), int64; 0 for a stream that stands still.
        """
        ...

    def found(self) -> list[NBest]:
        """Return what each stream said so far, as if it ended here.

        Frames count from where the stream began.
        """
        ...

    def settled(self) -> list[int]:
        """Count the labels of each stream's best hypothesis that will stay."""
        ...

    def reset(self, rows: Collection[int]) -> None:
        """Begin new streams in these rows."""
        ...


@runtime_checkable
class StreamingSearch(Search, Protocol):
    """A search that goes on from chunk to chunk, too."""

    def start(self, model: AsrModel, batch_size: int) -> SearchState:
        """Return the state of streams that begin, B = batch_size."""
        ...


@dataclass(kw_only=True)
class SearchConfig(ABC):
    """Base class of the searches' settings."""

    name: ClassVar[str]
    """Of the folder of results, and in log lines."""
    needs: ClassVar[str]
    """The criterion that trains what it searches: transducer or ctc."""
    has_beam: ClassVar[bool] = False
    """Whether it keeps several hypotheses, as a lexicon needs it."""
    jumps: ClassVar[bool] = False
    """Whether it follows the durations of a joiner that has some."""

    max_duration: float = 600.0
    """Most seconds of audio in a batch, padding included."""
    blank_penalty: float = 0.0
    """Taken from the logit of blank: more of it, fewer deletions."""
    fusion: FusionConfig = field(default_factory=FusionConfig)
    """Language models and phrases that take part in the search."""
    unit: ErrorUnit = ErrorUnit.WORD
    """What errors are counted in, on dev and on test sets: WORD (WER), CHARACTER (CER,
    blanks left out, as for Chinese), or MIXED (MER: characters of scripts written
    without blanks, words of the others)."""
    chunk: float | None = None
    """Seconds of audio that are encoded at once, one of those that encoder.chunks.sizes
    had in training; null: the whole utterance. Validation hears whole utterances."""
    left: int | None = None
    """Chunks before its own that a frame sees; null: the most that encoder.chunks.left
    had in training."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_range(self, "decode", "max_duration", "chunk", above=0)
        check_range(self, "decode", "left", least=0)

    @property
    def method(self) -> str:
        """Name of the search and its settings, for files and log lines."""
        return "_".join([self.name, *self.details()])

    def details(self) -> list[str]:
        """Return what tells results of this search from others of its name."""
        chunk = [] if self.chunk is None else [f"chunk_{self.chunk:g}"]
        left = [] if self.left is None else [f"left_{self.left}"]
        return [*self.fusion.names(), *chunk, *left]

    @property
    def keeps_nbest(self) -> bool:
        """Whether there are lists of several hypotheses to write."""
        return False

    @property
    def rescoring(self) -> tuple[str, float] | None:
        """The language model that sorts the lists anew, and its weight; None: none."""
        return None

    def fit(self, paths: Topology | None) -> "SearchConfig":
        """Return the search, fit to the paths that the transducer is trained on.

        Raises:
            InputError: It searches other paths.
        """
        return self

    @abstractmethod
    def build(self, fusion: Fusion = NO_FUSION) -> Search:
        """Make the search."""


@dataclass(kw_only=True)
class BeamConfig(SearchConfig):
    """Base class of the beam searches' settings."""

    has_beam = True

    beam: int = 4
    """Hypotheses that are kept."""
    nbest: int = 1
    """Hypotheses that are returned, at most `beam`."""
    rescore_lm: str | None = None
    """Language model that sorts the n-best list anew, as `fusion.lm`."""
    rescore_scale: float = 0.3
    """Weight of its log-probabilities."""

    @property
    def keeps_nbest(self) -> bool:
        """Whether there are lists of several hypotheses to write."""
        return self.nbest > 1

    @property
    def rescoring(self) -> tuple[str, float] | None:
        """The language model that sorts the lists anew, and its weight; None: none."""
        return None if not self.rescore_lm else (self.rescore_lm, self.rescore_scale)

    def details(self) -> list[str]:
        """Return the beam, what is fused, and what rescores."""
        rescored = [] if self.rescore_lm is None else [f"re{lm_name(self.rescore_lm)}"]
        return [str(self.beam), *super().details(), *rescored]

    def __post_init__(self) -> None:
        """Check the values."""
        super().__post_init__()
        check_range(self, "decode", "beam", "nbest", least=1)
        check_range(self, "decode", "rescore_scale", least=0)
        if self.rescore_lm and self.nbest == 1:
            raise ValueError(
                "decode.rescore_lm chooses from the n-best list: set decode.nbest, "
                "e.g. to decode.beam"
            )
        if not 1 <= self.nbest <= self.beam:
            raise ValueError(
                f"decode.nbest is {self.nbest} and decode.beam {self.beam}: "
                "1 <= nbest <= beam has to hold"
            )


@dataclass(kw_only=True)
class TransducerBeamConfig(BeamConfig):
    """Base class of the settings of a transducer's beam searches."""

    needs = "transducer"

    prune: float = 8.0
    """A hypothesis whose log-probability is worse than the best one's by more than this
    is dropped; inf: none is."""

    def __post_init__(self) -> None:
        """Check the values."""
        super().__post_init__()
        check_range(self, "decode", "prune", above=0)


class Beam:
    """What all beam searches have.

    Args:
        beam: Hypotheses that are kept, K.
        nbest: Hypotheses that are returned.
        blank_penalty: Taken from blank's logit.
        fusion: Added to the scores of labels.
    """

    def __init__(
        self,
        beam: int,
        nbest: int = 1,
        *,
        blank_penalty: float = 0.0,
        fusion: Fusion = NO_FUSION,
    ) -> None:
        self.beam = beam
        self.nbest = nbest
        self.blank_penalty = blank_penalty
        self.fusion = fusion


class TransducerBeam(Beam):
    """What a transducer's beam searches have.

    Args:
        beam: Hypotheses that are kept, K.
        nbest: Hypotheses that are returned.
        prune: How much worse than the best a hypothesis may be.
        blank_penalty: Taken from blank's logit.
        fusion: Added to the scores of labels.
    """

    def __init__(
        self,
        beam: int,
        nbest: int = 1,
        *,
        prune: float = float("inf"),
        blank_penalty: float = 0.0,
        fusion: Fusion = NO_FUSION,
    ) -> None:
        super().__init__(beam, nbest, blank_penalty=blank_penalty, fusion=fusion)
        self.prune = prune
