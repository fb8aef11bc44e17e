"""End points: where a stream's utterance is over and the next one begins."""

from collections.abc import Sequence
from dataclasses import dataclass

from asrkit.utils.ranges import check_range


@dataclass(frozen=True, kw_only=True)
class EndPoints:
    """An utterance is over when one of these is reached, each in seconds.

    Silence is what comes after the last label's frame.
    """

    without_speech: float = 2.4
    """Silence where nothing has been said."""
    after_speech: float = 1.2
    """Silence after something has been said."""
    longest: float = 20.0
    """Of an utterance, silence or not."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        names = ("without_speech", "after_speech", "longest")
        check_range(self, "end_points", *names, above=0)

    def reached(
        self, label_frames: Sequence[int], num_frames: int, frame_seconds: float
    ) -> bool:
        """Say whether the utterance is over.

        Args:
            label_frames: Frame of each label so far, never falling.
            num_frames: Frames of the utterance so far.
            frame_seconds: Audio in a frame, seconds.
        """
        if num_frames * frame_seconds >= self.longest:
            return True
        if not label_frames:
            return num_frames * frame_seconds >= self.without_speech
        silent = num_frames - (label_frames[-1] + 1)
        return silent * frame_seconds >= self.after_speech
