"""What every search owes, and gives."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Protocol

from torch import Tensor

from asrkit.models.asr_model import AsrModel


@dataclass(frozen=True)
class Found:
    """The best hypothesis of one utterance."""

    tokens: list[int]
    """Labels, without blank."""
    frames: list[int]
    """Encoder frame (40 ms) at which each label came."""


class Search(Protocol):
    """Finds the best hypothesis of each utterance of a batch."""

    def __call__(
        self, model: AsrModel, enc_out: Tensor, enc_lens: Tensor
    ) -> list[Found]:
        """Search enc_out (B, T, D) of enc_lens (B,)."""
        ...


@dataclass(kw_only=True)
class SearchConfig:
    """Base class of the searches' settings."""

    name: ClassVar[str]
    """Of the folder of results, and in log lines."""
    needs: ClassVar[str]
    """The criterion that trains what it searches: transducer or ctc."""

    max_duration: float = 600.0
    """Most seconds of audio in a batch, padding included."""

    @abstractmethod
    def build(self) -> Search:
        """Make the search."""
