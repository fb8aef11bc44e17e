"""What to say of utterances that have several channels and name none."""

import logging
from collections import defaultdict
from collections.abc import Sequence

from lhotse.cut import Cut, MultiCut

from asrkit.utils.errors import some

logger = logging.getLogger(__name__)

ADVICE = (
    "Where each speaker has a channel, as in telephone speech, name it: a column "
    "channel of the table, 0, 1, ..., or the channel of the manifest's cut"
)


def describe_channels(cuts: Sequence[Cut]) -> str | None:
    """Say which utterances are read as the mean of their channels, None if none is.

    Args:
        cuts: With `silent_channels` in `custom` where that has been measured.
    """
    several: list[str] = []
    silent: dict[int, list[str]] = defaultdict(list)
    for cut in cuts:
        if isinstance(cut, MultiCut):
            several.append(cut.id)
            for channel in (cut.custom or {}).get("silent_channels", ()):
                silent[channel].append(cut.id)
    if not several:
        return None
    said = (
        f"Several channels and none named in {len(several):,} of {len(cuts):,} "
        f"utterances ({some(several)}): the mean of all channels is heard"
    )
    for channel, ids in sorted(silent.items()):
        said += f"; channel {channel} is silent in {len(ids):,} of them ({some(ids)})"
    return f"{said}. {ADVICE}."


def warn_of_channels(name: str, cuts: Sequence[Cut]) -> None:
    """Log what `describe_channels` says of a part."""
    said = describe_channels(cuts)
    if said is not None:
        logger.warning("%s: %s", name, said)
