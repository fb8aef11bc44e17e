"""Ids that stand for several utterances.

Alignments, n-best lists, hypotheses and the lists of what is left out go by ids.
"""

from collections.abc import Iterable

from lhotse.cut import Cut

from asrkit.data.audio.unreadable import source_of
from asrkit.utils.errors import InputError, some


class Ids:
    """Takes down utterances, and finds ids that stand for several of them."""

    def __init__(self) -> None:
        self.seen: dict[int, tuple[int, str]] = {}
        """Hash of the id: hash of what the utterance is, and its part."""
        self.clashes: dict[str, set[str]] = {}
        """Ids that stand for several utterances, and the parts of these."""

    def add(self, cut: Cut, part: str) -> None:
        """Take down an utterance; that the same comes again is no harm."""
        is_of = (source_of(cut), cut.start, cut.duration, str(cut.channel))
        what = hash((is_of, cut.supervisions[0].text))
        first, where = self.seen.setdefault(hash(cut.id), (what, part))
        if first != what:
            self.clashes.setdefault(cut.id, {where}).add(part)

    def check(self) -> None:
        """Raise InputError if an id stands for several utterances."""
        if not self.clashes:
            return
        parts = sorted(set().union(*self.clashes.values()))
        raise InputError(
            f"{len(self.clashes)} ids stand for several utterances in "
            f"{' and '.join(parts)}: {some(self.clashes)}. Alignments, n-best lists, "
            "hypotheses and lists of what is left out go by ids; prepare the parts "
            "again with different ids (a column id in a table; scripts/prepare.py "
            "leaves out, and lists, the second of an id within a part)"
        )


def check_ids(cuts: Iterable[Cut], part: str) -> None:
    """Check the ids of a part.

    Raises:
        InputError: One stands for several utterances.
    """
    ids = Ids()
    for cut in cuts:
        ids.add(cut, part)
    ids.check()
