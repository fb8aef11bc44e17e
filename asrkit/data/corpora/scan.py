"""Reading every recording once: what cannot be trained on is left out and listed."""

import math
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from os import cpu_count
from pathlib import Path

import numpy as np
import soundfile
from lhotse import CutSet, MonoCut, Recording, SupervisionSegment
from lhotse.audio import AudioSource
from lhotse.supervision import AlignmentItem

from asrkit.data.corpora.word_times import TimedWord
from asrkit.data.left_out import LeftOut
from asrkit.data.progress import track

CLIPPED_AT = 0.999
"""Samples at least this large count as clipped."""
_END_TOLERANCE = 0.01
"""Seconds that a segment may pass the end of its file: tables round."""
_BLOCK = 5000
"""Utterances handed to the threads at a time, to bound memory."""

_SAMPLES = 2**20
"""Read at a time: a recording of hours is not held in memory."""


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
    """When each word is spoken, where it is known."""
    channel: int | None = None
    """Which channel of the recording is the utterance's, from 0; None: no choice."""


class _UnusableError(Exception):
    """A recording that cannot become a cut; its text is the reason."""


def scan(
    utterances: Iterable[Utterance], *, name: str, jobs: int | None = None
) -> tuple[CutSet, list[LeftOut]]:
    """Read all recordings in parallel and make cuts of the good ones.

    Each cut has one supervision, with `alignment["word"]` where the times of its words
    are known, and in `custom` what its samples look like: `peak`
    (largest magnitude, 1 is full scale), `rms`, `clipped` (share of samples at
    `CLIPPED_AT` or more). Of a recording with several channels the first is taken
    where an utterance names none.

    Args:
        utterances: What to read; of several with one id, the first counts.
        name: What the progress line begins with.
        jobs: Threads; None for one a CPU.

    Returns:
        The cuts in the order of their ids, and what was left out, in that order too.
    """
    unique: dict[str, Utterance] = {}
    left_out = []
    for utterance in utterances:
        if unique.setdefault(utterance.id, utterance) is not utterance:
            reason = f"another utterance has this id: {unique[utterance.id].path}"
            left_out.append(LeftOut(utterance.id, str(utterance.path), reason))
    cuts = []
    ordered = iter(sorted(unique.values(), key=lambda utterance: utterance.id))
    with track(name, len(unique)) as advance:
        for result in _scan_all(ordered, jobs or cpu_count() or 1):
            if isinstance(result, LeftOut):
                left_out.append(result)
            else:
                cuts.append(result)
            advance(1)
    return CutSet.from_cuts(cuts), sorted(left_out, key=lambda row: (row.id, row.path))


def _scan_all(
    utterances: Iterator[Utterance], jobs: int
) -> Iterator[MonoCut | LeftOut]:
    with ThreadPoolExecutor(jobs) as pool:
        while block := list(islice(utterances, _BLOCK)):
            yield from pool.map(_scan_one, block)


def _scan_one(utterance: Utterance) -> MonoCut | LeftOut:
    try:
        return _read(utterance)
    except _UnusableError as error:
        return LeftOut(utterance.id, str(utterance.path), str(error))


def _read(utterance: Utterance) -> MonoCut:
    if not utterance.path.is_file():
        raise _UnusableError("no such file")
    try:
        with soundfile.SoundFile(utterance.path) as file:
            recording = describe_recording(file, utterance.path, utterance.path.stem)
            first, count = _segment(utterance, file.frames, file.samplerate)
            channel = _channel(utterance, file.channels)
            file.seek(first)
            measured = _measure(file, count, channel)
    except (soundfile.SoundFileError, OSError) as error:
        # libsndfile's messages begin with the path, which is listed already.
        reason = str(error).replace(repr(str(utterance.path)), "file")
        raise _UnusableError(f"cannot be decoded: {reason}") from error
    rate = recording.sampling_rate
    return _cut(utterance, recording, channel, first / rate, count / rate, measured)


def _channel(utterance: Utterance, channels: int) -> int:
    channel = utterance.channel or 0
    if not 0 <= channel < channels:
        raise _UnusableError(
            f"has no channel {channel}; its channels are 0 to {channels - 1}"
        )
    return channel


def _measure(file: soundfile.SoundFile, count: int, channel: int) -> dict[str, float]:
    """Read so many samples from where a file stands, a block of them at a time."""
    peak, squares, clipped = 0.0, 0.0, 0
    for block in file.blocks(_SAMPLES, frames=count, dtype="float32", always_2d=True):
        magnitude = np.abs(block[:, channel])
        if not np.isfinite(magnitude).all():
            raise _UnusableError("holds values that are not numbers (NaN or infinite)")
        peak = max(peak, float(magnitude.max()))
        squares += float(np.square(magnitude, dtype="f8").sum())
        clipped += int((magnitude >= CLIPPED_AT).sum())
    return {
        "peak": round(peak, 6),
        "rms": round(math.sqrt(squares / count), 6),
        "clipped": round(clipped / count, 6),
    }


def _segment(utterance: Utterance, frames: int, rate: int) -> tuple[int, int]:
    """Return the first sample and the number of samples of an utterance."""
    if frames == 0:
        raise _UnusableError("empty: no samples")
    length = frames / rate
    end = length
    if utterance.duration is not None:
        end = utterance.start + utterance.duration
    if utterance.start >= length or end > length + _END_TOLERANCE:
        raise _UnusableError(
            f"segment from {utterance.start:g} to {end:g} s "
            f"passes the end of the file at {length:g} s"
        )
    first = round(utterance.start * rate)
    count = min(round(end * rate), frames) - first
    if count <= 0:
        raise _UnusableError("empty: no samples")
    return first, count


def describe_recording(file: soundfile.SoundFile, path: Path, id: str) -> Recording:
    """Make the manifest entry of an open file."""
    channels = list(range(file.channels))
    return Recording(
        id=id,
        sources=[AudioSource(type="file", channels=channels, source=str(path))],
        sampling_rate=file.samplerate,
        num_samples=file.frames,
        duration=file.frames / file.samplerate,
        channel_ids=channels,
    )


def _items(words: list[TimedWord]) -> list[AlignmentItem]:
    return [
        AlignmentItem(word.text, word.start, round(word.end - word.start, 6))
        for word in words
    ]


def _cut(
    utterance: Utterance,
    recording: Recording,
    channel: int,
    start: float,
    duration: float,
    measured: dict[str, float],
) -> MonoCut:
    supervision = SupervisionSegment(
        id=utterance.id,
        recording_id=recording.id,
        start=0.0,
        duration=duration,
        channel=channel,
        text=utterance.text,
        speaker=utterance.speaker,
        alignment=utterance.words and {"word": _items(utterance.words)},
    )
    return MonoCut(
        id=utterance.id,
        start=start,
        duration=duration,
        channel=channel,
        supervisions=[supervision],
        recording=recording,
        custom=measured,
    )
