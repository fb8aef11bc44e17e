"""Utterances of cuts: each with one supervision that lies within its audio.

Lhotse's cuts may have none or several, may be cut shorter than their text, and may
hold several channels of which a supervision names one.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache

from lhotse import SupervisionSegment
from lhotse.cut import Cut, MixedCut, MixTrack, MultiCut, PaddingCut
from lhotse.supervision import AlignmentItem
from lhotse.utils import fastcopy, to_list

from asrkit.data.audio.inspect import END_TOLERANCE
from asrkit.data.audio.unreadable import source_of
from asrkit.data.left_out import LeftOut, UnusableError
from asrkit.utils.errors import some

logger = logging.getLogger(__name__)


@dataclass
class Trimmed:
    """What becomes of cuts, to be told."""

    several: list[str] = field(default_factory=list)
    """Cuts with several supervisions: each of these is an utterance now."""
    overlapping: list[str] = field(default_factory=list)
    """Pairs of supervisions, "a with b", that are heard in each other's audio."""
    no_times: list[str] = field(default_factory=list)
    """Supervisions with words outside of them, whose times are not kept."""

    def describe(self) -> list[str]:
        """Say what was done, and to which cuts."""
        told = (
            (
                "cuts have several supervisions, each of which is an utterance now",
                self.several,
            ),
            (
                "supervisions overlap, and are heard in each other's audio",
                self.overlapping,
            ),
            (
                "supervisions have words outside of them; the times of their words are "
                "not kept",
                self.no_times,
            ),
        )
        return [f"{len(ids)} {said} ({some(ids)})" for said, ids in told if ids]


@dataclass(frozen=True)
class Utterances:
    """The utterances of cuts, to be the content of a CutSet."""

    cuts: Iterable[Cut]
    part: str
    """What messages call them."""

    def __iter__(self) -> Iterator[Cut]:
        """Yield the utterances; say at the end what was done to the cuts."""
        trimmed = Trimmed()
        left_out = []
        for cut in self.cuts:
            for one in utterances_of(cut, trimmed):
                if isinstance(one, LeftOut):
                    left_out.append(one)
                else:
                    yield one
        if left_out:
            first = left_out[0]
            _warn_once(
                f"{self.part}: {len(left_out)} cuts are no utterances and are left "
                f"out; the first, {first.id} ({first.path}): {first.reason}"
            )
        for said in trimmed.describe():
            _warn_once(f"{self.part}: {said}")


@cache
def _warn_once(message: str) -> None:
    # A part is gone over several times in a run.
    logger.warning("%s", message)


def utterances_of(cut: Cut, trimmed: Trimmed) -> Iterator[Cut | LeftOut]:
    """Return the utterances of a cut, or why it has none.

    A cut with one supervision is an utterance as it is, whatever its length; of several
    supervisions each becomes one of its id, of the length of the supervision. Only the
    channels that the supervision names are taken.

    Args:
        cut: Any.
        trimmed: Takes down what is done.
    """
    supervisions = cut.supervisions
    if not supervisions:
        reason = "no supervision: nothing says what is spoken"
        yield LeftOut(cut.id, source_of(cut), reason)
    several = len(supervisions) > 1
    if several:
        trimmed.several.append(cut.id)
        trimmed.overlapping += _overlapping(supervisions)
    bare = cut.drop_supervisions() if several else cut
    for segment in supervisions:
        id = segment.id if several else cut.id
        try:
            if several:
                one = trim(bare, segment, trimmed).with_id(id)
            else:
                one = _choose_channels(cut, segment)
        except UnusableError as error:
            yield LeftOut(id, source_of(cut), str(error))
        else:
            yield one


def find_excess(cut: Cut, segment: SupervisionSegment) -> str | None:
    """Say why a supervision is not within a cut, None if it is.

    Args:
        cut: The audio.
        segment: Its times count from the cut's start, in seconds.
    """
    if segment.duration <= 0:
        return f"its supervision is {segment.duration:g} s long"
    if segment.start >= -END_TOLERANCE and segment.end <= cut.duration + END_TOLERANCE:
        return None
    return (
        f"its text is that of {segment.start:g} to {segment.end:g} s, "
        f"its audio that of 0 to {cut.duration:g} s"
    )


def trim(cut: Cut, segment: SupervisionSegment, trimmed: Trimmed) -> Cut:
    """Cut out a supervision.

    Args:
        cut: Without supervisions.
        segment: Its times count from the cut's start, in seconds.
        trimmed: Takes down what is done.

    Returns:
        A cut with this supervision alone, of its channels.

    Raises:
        UnusableError: The supervision is not within the cut.
    """
    if excess := find_excess(cut, segment):
        raise UnusableError(excess)
    cut = _choose_channels(cut, segment)
    start, end = max(segment.start, 0.0), min(segment.end, cut.duration)
    if start > END_TOLERANCE or end < cut.duration - END_TOLERANCE:
        cut = _truncate(cut, start, end - start)
        segment = segment.with_offset(-start)
    return attach(cut, _fit(segment, cut, trimmed))


def attach(cut: Cut, segment: SupervisionSegment) -> Cut:
    """Return a cut without supervisions with this one, whose times are the cut's."""
    if not isinstance(cut, MixedCut):
        return fastcopy(cut, supervisions=[segment])
    tracks = list(cut.tracks)
    place = next(
        i
        for i, track in enumerate(tracks)
        if not (track.mute or isinstance(track.cut, PaddingCut))
    )
    first = tracks[place]
    segment = segment.with_offset(-first.offset)
    tracks[place] = fastcopy(first, cut=fastcopy(first.cut, supervisions=[segment]))
    return fastcopy(cut, tracks=tracks)


def _choose_channels(cut: Cut, segment: SupervisionSegment) -> Cut:
    """Take the channels of a cut of several that a supervision names."""
    named = to_list(segment.channel)
    if not isinstance(cut, MultiCut) or set(named) == set(cut.channel):
        return cut
    if not set(named) <= set(cut.channel):
        raise UnusableError(
            f"its supervision is of channel {segment.channel}, "
            f"the cut has {', '.join(map(str, cut.channel))}"
        )
    chosen = fastcopy(cut, supervisions=[]).with_channels(named).with_id(cut.id)
    return fastcopy(chosen, supervisions=cut.supervisions)


def _truncate(cut: Cut, start: float, seconds: float) -> Cut:
    part = cut.truncate(offset=start, duration=seconds, preserve_id=True)
    if isinstance(cut, MixedCut) and cut.transforms:
        # Lhotse 1.33.0 forgets what is done to the mix as a whole.
        if not isinstance(part, MixedCut):
            part = MixedCut(part.id, [MixTrack(part)])
        part = fastcopy(part, transforms=cut.transforms)
    # Of a mix, the tracks that remain may leave a gap, or nothing but padding.
    if abs(part.duration - seconds) > END_TOLERANCE or isinstance(part, PaddingCut):
        raise UnusableError("its text is that of a time when no track is heard")
    return part


def _fit(segment: SupervisionSegment, cut: Cut, trimmed: Trimmed) -> SupervisionSegment:
    """Return a supervision that does not pass the ends of its cut.

    The times of an alignment count from the start of the recording, wherever the cut
    is, and are kept where all lie within the supervision. (`SupervisionSegment.trim`
    gives words outside of it negative durations, Lhotse 1.33.0.)
    """
    start, end = max(segment.start, 0.0), min(segment.end, cut.duration)
    alignment = segment.alignment
    if alignment and not isinstance(cut, MixedCut):
        low, high = cut.start + start, cut.start + end
        alignment = {
            kind: items
            for kind, items in alignment.items()
            if all(_within(item, low, high) for item in items)
        }
        if len(alignment) < len(segment.alignment):
            trimmed.no_times.append(segment.id)
    duration = round(end - start, 8)
    return fastcopy(segment, start=start, duration=duration, alignment=alignment)


def _within(item: AlignmentItem, low: float, high: float) -> bool:
    return item.start >= low - END_TOLERANCE and item.end <= high + END_TOLERANCE


def _overlapping(supervisions: Sequence[SupervisionSegment]) -> list[str]:
    """Name the supervisions that begin before one before them ends, on its channel."""
    pairs = []
    last: dict[int, SupervisionSegment] = {}
    for segment in sorted(supervisions, key=lambda one: (one.start, one.id)):
        channels = to_list(segment.channel)
        others = {last[c].id: last[c] for c in channels if c in last}
        pairs += [
            f"{other.id} with {segment.id}"
            for other in others.values()
            if other.end > segment.start + END_TOLERANCE
        ]
        for channel in channels:
            if channel not in last or last[channel].end < segment.end:
                last[channel] = segment
    return pairs
