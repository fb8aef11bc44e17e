"""Reading every recording once: what cannot be trained on is left out and listed."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lhotse import CutSet, MonoCut, SupervisionSegment
from lhotse.cut import MultiCut
from lhotse.supervision import AlignmentItem

from asrkit.data.audio.inspect import Found, Stretch, inspect_all
from asrkit.data.corpora.channels import warn_of_channels
from asrkit.data.corpora.word_times import TimedWord
from asrkit.data.left_out import LeftOut
from asrkit.data.progress import track


@dataclass(frozen=True, kw_only=True)
class Utterance:
    """An utterance as a corpus lists it; nothing of it has been read yet."""

    id: str
    path: Path
    """The recording."""
    text: str
    speaker: str | None = None
    start: float = 0.0
    """Where the utterance begins in the recording, in seconds."""
    duration: float | None = None
    """In seconds; None: to the end of the recording."""
    words: list[TimedWord] | None = None
    """When each word is spoken, from the utterance's start, where it is known."""
    channel: int | None = None
    """Which channel of the recording is the utterance's, from 0; None: no choice."""

    @property
    def stretch(self) -> Stretch:
        """Where the utterance's audio is."""
        channels = None if self.channel is None else [self.channel]
        return Stretch(self.path, self.start, self.duration, channels)


def scan(
    utterances: Iterable[Utterance],
    *,
    name: str,
    jobs: int | None = None,
    converted: Path | None = None,
) -> tuple[CutSet, list[LeftOut]]:
    """Read all recordings in parallel and make cuts of the good ones.

    Each cut has one supervision, with `alignment["word"]` where the times of its words
    are known, and in `custom` what its samples look like: `peak`
    (largest magnitude, 1 is full scale), `rms`, `clipped` (share of samples at full
    scale). An utterance of several channels that names none becomes a `MultiCut`,
    which is read as their mean; `silent_channels` in `custom` says which of them are.

    Args:
        utterances: What to read; of several with one id, the first counts.
        name: What the progress line begins with.
        jobs: Threads; None for one a CPU.
        converted: Folder for recordings that only ffmpeg decodes (m4a, webm, aac, amr,
            video): each becomes a FLAC file there, once, to which the cuts point. None:
            they are left out.

    Returns:
        The cuts in the order of their ids, and what was left out, in that order too.
    """
    unique: dict[str, Utterance] = {}
    left_out = []
    for utterance in utterances:
        if unique.setdefault(utterance.id, utterance) is not utterance:
            reason = f"another utterance has this id: {unique[utterance.id].path}"
            left_out.append(LeftOut(utterance.id, str(utterance.path), reason))
    ordered = sorted(unique.values(), key=lambda utterance: utterance.id)
    stretches = [utterance.stretch for utterance in ordered]
    cuts: list[MonoCut | MultiCut] = []
    with track(name, len(ordered)) as advance:
        for file in inspect_all(stretches, jobs=jobs, converted=converted):
            for index, found in file:
                one = ordered[index]
                if isinstance(found, str):
                    left_out.append(LeftOut(one.id, str(one.path), found))
                else:
                    cuts.append(_cut(one, found))
            advance(len(file))
    cuts.sort(key=lambda cut: cut.id)
    warn_of_channels(name, cuts)
    return CutSet.from_cuts(cuts), sorted(left_out, key=lambda row: (row.id, row.path))


def _items(words: list[TimedWord], start: float) -> list[AlignmentItem]:
    """Lhotse counts the times of an alignment from the start of the recording."""
    return [
        AlignmentItem(
            word.text, round(start + word.start, 6), round(word.end - word.start, 6)
        )
        for word in words
    ]


def _cut(utterance: Utterance, found: Found) -> MonoCut | MultiCut:
    several = len(found.channels) > 1
    channel: Any = found.channels if several else found.channels[0]
    supervision = SupervisionSegment(
        id=utterance.id,
        recording_id=found.recording.id,
        start=0.0,
        duration=found.duration,
        channel=channel,
        text=utterance.text,
        speaker=utterance.speaker,
        alignment=utterance.words and {"word": _items(utterance.words, found.start)},
    )
    return (MultiCut if several else MonoCut)(
        id=utterance.id,
        start=found.start,
        duration=found.duration,
        channel=channel,
        supervisions=[supervision],
        recording=found.recording,
        custom=found.measured,
    )
