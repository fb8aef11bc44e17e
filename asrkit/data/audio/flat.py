"""Cuts of several channels or tracks, where what is heard of them is stored."""

from lhotse.cut import Cut, MonoCut
from lhotse.utils import fastcopy


def flatten(cut: Cut) -> MonoCut:
    """Return a cut of one channel that says of an utterance all but its audio.

    A `MonoCut` stays as it is, with its recording.

    Args:
        cut: With one supervision.
    """
    if isinstance(cut, MonoCut):
        return cut
    return MonoCut(
        id=cut.id,
        start=0.0,
        duration=cut.duration,
        channel=0,
        supervisions=[fastcopy(one, channel=0) for one in cut.supervisions],
        custom=dict(cut.custom) if cut.custom else None,
    )
