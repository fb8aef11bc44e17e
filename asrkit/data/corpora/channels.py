"""What to say of utterances that have several channels and name none."""

import logging
from collections import defaultdict
from collections.abc import Iterable

from lhotse.cut import Cut, MultiCut

from asrkit.utils.errors import some

logger = logging.getLogger(__name__)

_ADVICE = (
    "Where each speaker has a channel, as in telephone speech, name it: a column "
    "channel of the table, 0, 1, ..., or the channel of the manifest's cut"
)


class SeveralChannels:
    """Takes down which utterances are read as the mean of their channels."""

    def __init__(self) -> None:
        self.count = 0
        """Utterances seen."""
        self.several: list[str] = []
        self.silent: dict[int, list[str]] = defaultdict(list)

    def add(self, cut: Cut) -> None:
        """Look at an utterance; `silent_channels` in `custom` says which are silent."""
        self.count += 1
        if isinstance(cut, MultiCut) and cut.num_channels > 1:
            self.several.append(cut.id)
            for channel in (cut.custom or {}).get("silent_channels", ()):
                self.silent[channel].append(cut.id)

    def describe(self) -> list[str]:
        """Say it, with what to do; nothing where there is nothing to say."""
        if not self.several:
            return []
        said = (
            f"Several channels and none named in {len(self.several):,} of "
            f"{self.count:,} utterances ({some(self.several)}): the mean of all "
            "channels is heard"
        )
        for channel, ids in sorted(self.silent.items()):
            said += f"; channel {channel} is silent in {len(ids):,} ({some(ids)})"
        return [f"{said}. {_ADVICE}."]


def warn_of_channels(name: str, cuts: Iterable[Cut]) -> None:
    """Log which utterances of a part are read as the mean of their channels."""
    channels = SeveralChannels()
    for cut in cuts:
        channels.add(cut)
    for said in channels.describe():
        logger.warning("%s: %s", name, said)
