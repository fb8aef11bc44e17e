"""What can be wrong with an utterance, and which of it keeps it out of training."""

import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from lhotse.cut import Cut

from asrkit.data.audio.channels import SILENT_PEAK
from asrkit.data.corpora.supervised import find_excess
from asrkit.text.tokenizer import UNK_ID, Tokenizer

CLIPPED_SHARE = 1e-3
"""A larger share of samples at full scale makes a recording clipped."""


class Role(str, Enum):
    """What a part of the corpus is for."""

    TRAIN = "train"
    DEV = "dev"
    TEST = "test"


class DataProblem(str, Enum):
    """What can be wrong with an utterance."""

    EMPTY_TEXT = "empty text"
    OUTSIDE = "text from outside of the audio"
    NO_PATH = "more tokens than frames allow"
    SILENT = "silent audio"
    TOO_SHORT = "too short"
    TOO_LONG = "too long"
    TOO_DENSE = "too much text for its length"
    MISSING = "text that the tokenizer lacks"
    CHANGED = "text that the tokenizer changes"
    CLIPPED = "clipped audio"


_LISTED = {DataProblem.CHANGED, DataProblem.CLIPPED}
LEFT_OUT: dict[Role, frozenset[DataProblem]] = {
    Role.TRAIN: frozenset(DataProblem) - _LISTED,
    Role.DEV: frozenset(DataProblem) - _LISTED - {DataProblem.MISSING},
    Role.TEST: frozenset(),
}
"""The problems that keep an utterance out of a part; all others are but listed."""


@dataclass(frozen=True, kw_only=True)
class Checks:
    """What an utterance has to fulfil.

    Args:
        frames_of: Encoder frames of a recording of so many seconds.
        subsampling: Feature frames to an encoder frame, for messages.
        max_symbols_per_frame: Labels that a frame can emit; None for any number.
        repeats_need_frame: Whether equal neighbours need a blank in between (CTC).
        limited_by: What allows no more labels, for messages, e.g. CTC.
        min_duration: In seconds; shorter utterances are too short.
        max_duration_of_utterance: In seconds; longer utterances are too long.
        max_tokens_per_second: More are not speech; the lattice would be huge.
    """

    frames_of: Callable[[float], int]
    subsampling: int
    max_symbols_per_frame: int | None
    repeats_need_frame: bool
    limited_by: str
    min_duration: float | None
    max_duration_of_utterance: float | None
    max_tokens_per_second: float | None

    def find_problems(
        self, cut: Cut, text: str, tokens: Sequence[int], tokenizer: Tokenizer
    ) -> dict[DataProblem, str]:
        """Return what is wrong with an utterance, each with its details."""
        problems = self._duration_problems(cut.duration) | _audio_problems(cut)
        most = self.max_tokens_per_second
        if most is not None and len(tokens) > most * cut.duration:
            problems[DataProblem.TOO_DENSE] = (
                f"{len(tokens)} tokens in {cut.duration:g} s, "
                f"data.max_tokens_per_second is {most:g}"
            )
        if not tokens:
            problems[DataProblem.EMPTY_TEXT] = "empty text"
        if UNK_ID in tokens:
            missing = " ".join(tokenizer.missing(text))
            problems[DataProblem.MISSING] = f"the tokenizer lacks: {missing}"
        if outside := find_excess(cut, cut.supervisions[0]):
            problems[DataProblem.OUTSIDE] = outside
        frames, needed = self.frames_of(cut.duration), self._frames_needed(tokens)
        if frames < needed:
            problems[DataProblem.NO_PATH] = (
                f"{len(tokens)} tokens need {needed} encoder frames, "
                f"{cut.duration:g} s have {frames} (subsampling {self.subsampling})"
            )
        return problems

    def _frames_needed(self, tokens: Sequence[int]) -> int:
        needed = 1
        if self.max_symbols_per_frame is not None:
            needed = max(needed, math.ceil(len(tokens) / self.max_symbols_per_frame))
        if self.repeats_need_frame:
            repeats = sum(map(operator.eq, tokens, tokens[1:]))
            needed = max(needed, len(tokens) + repeats)
        return needed

    def _duration_problems(self, duration: float) -> dict[DataProblem, str]:
        shortest, longest = self.min_duration, self.max_duration_of_utterance
        if shortest is not None and duration < shortest:
            said = f"{duration:g} s, data.min_seconds is {shortest:g}"
            return {DataProblem.TOO_SHORT: said}
        if longest is not None and duration > longest:
            return {
                DataProblem.TOO_LONG: (
                    f"{duration:g} s, data.max_seconds is {longest:g}"
                )
            }
        return {}


def _audio_problems(cut: Cut) -> dict[DataProblem, str]:
    measured = cut.custom or {}
    problems = {}
    if measured.get("peak", 1.0) < SILENT_PEAK:
        problems[DataProblem.SILENT] = f"silent: the peak is {measured['peak']:g}"
    if measured.get("clipped", 0.0) > CLIPPED_SHARE:
        share = 100 * measured["clipped"]
        problems[DataProblem.CLIPPED] = f"clipped: {share:.2g} % of the samples"
    return problems
