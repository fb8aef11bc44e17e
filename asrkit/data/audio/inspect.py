"""Reading recordings once: what their files are, and what utterances sound like."""

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from os import cpu_count
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from lhotse import Recording
from lhotse.audio import AudioSource

from asrkit.data.audio.channels import mix_down, silent_channels
from asrkit.data.audio.sound_file import describe_failure, open_readable
from asrkit.data.left_out import UnusableError

CLIPPED_AT = 0.999
"""Samples at least this large count as clipped."""
END_TOLERANCE = 0.05
"""Seconds that an utterance may pass the end of its audio, shorter than a phone: tables
round, and compressed files differ by a frame."""
_NOT_NUMBERS = "holds values that are not numbers (NaN or infinite)"
_FILES = 5000
"""Handed to the threads at a time, to bound memory."""
_SAMPLES = 2**20
"""Read at a time: a recording of hours is not held in memory."""


@dataclass(frozen=True)
class Stretch:
    """Where the audio of an utterance is."""

    path: Path
    start: float
    """Seconds."""
    duration: float | None
    """Seconds; None: to the end of the recording."""
    channels: Sequence[int] | None
    """From 0; None: all that there are."""


@dataclass(frozen=True)
class Found:
    """What a stretch of audio is."""

    recording: Recording
    """The file as it is; stretches of one file share it."""
    first: int
    """Sample."""
    count: int
    """Samples."""
    channels: list[int]
    measured: dict[str, Any]
    """See `Meter`."""

    @property
    def start(self) -> float:
        """Seconds."""
        return self.first / self.recording.sampling_rate

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.count / self.recording.sampling_rate


class Meter:
    """Measures audio, block by block.

    Args:
        channels: How many there are.
    """

    def __init__(self, channels: int) -> None:
        self.peaks = np.zeros(channels)
        self.peak, self.squares, self.clipped, self.count = 0.0, 0.0, 0, 0

    def add(self, samples: np.ndarray) -> None:
        """Measure the next samples, (C, S), float32.

        Raises:
            UnusableError: They are not numbers.
        """
        magnitude = np.abs(samples)
        peaks = magnitude.max(axis=1)
        if not np.isfinite(peaks).all():
            raise UnusableError(_NOT_NUMBERS)
        heard = mix_down(samples)
        self.peaks = np.maximum(self.peaks, peaks)
        self.peak = max(self.peak, float(np.abs(heard).max()))
        self.squares += float(np.square(heard, dtype="f8").sum())
        self.clipped += int((magnitude >= CLIPPED_AT).any(axis=0).sum())
        self.count += samples.shape[1]

    def result(self) -> dict[str, Any]:
        """Return `peak` and `rms` of what is heard, the share of `clipped` samples.

        Of several channels also `silent_channels`, those that are, from 0.
        """
        measured: dict[str, Any] = {
            "peak": round(self.peak, 6),
            "rms": round(math.sqrt(self.squares / self.count), 6),
            "clipped": round(self.clipped / self.count, 6),
        }
        if len(self.peaks) > 1:
            measured["silent_channels"] = silent_channels(self.peaks)
        return measured


def inspect_all(
    stretches: Sequence[Stretch], *, jobs: int | None, converted: Path | None
) -> Iterator[list[tuple[int, Found | str]]]:
    """Read stretches in parallel, all of a file together.

    Args:
        stretches: What to read.
        jobs: Threads; None for one a CPU.
        converted: See `open_readable`.

    Yields:
        For each file the indices of its stretches with what was found, or with the
        reason why the stretch cannot be used.
    """
    by_file: dict[Path, list[int]] = {}
    for index, stretch in enumerate(stretches):
        by_file.setdefault(stretch.path, []).append(index)

    def inspect(file: tuple[Path, list[int]]) -> list[tuple[int, Found | str]]:
        path, indices = file
        indices.sort(key=lambda index: stretches[index].start)
        found = inspect_file(path, [stretches[i] for i in indices], converted)
        return list(zip(indices, found, strict=True))

    files = iter(by_file.items())
    with ThreadPoolExecutor(jobs or cpu_count() or 1) as pool:
        while block := list(islice(files, _FILES)):
            yield from pool.map(inspect, block)


def inspect_file(
    path: Path, stretches: Sequence[Stretch], converted: Path | None
) -> list[Found | str]:
    """Read stretches of one file, in the order of their starts."""
    found: list[Found | str] = []
    recording = None
    while len(found) < len(stretches):
        try:
            file = open_readable(path, converted)
        except UnusableError as error:
            return [*found, *[str(error)] * (len(stretches) - len(found))]
        with file:
            if recording is None:
                recording = describe_recording(file, Path(file.name), path.stem)
            for stretch in stretches[len(found) :]:
                try:
                    found.append(_inspect(file, recording, stretch))
                except Exception as error:  # a reader may raise anything
                    found.append(describe_failure(path, error))
                    break  # libsndfile reads nothing more of it: open it anew
    return found


def _inspect(
    file: soundfile.SoundFile, recording: Recording, stretch: Stretch
) -> Found | str:
    try:
        channels = _channels(stretch, file.channels)
        first, count = _segment(stretch, file.frames, file.samplerate)
        measured = _measure(file, first, count, channels)
    except UnusableError as error:
        return str(error)
    return Found(recording, first, count, channels, measured)


def _channels(stretch: Stretch, count: int) -> list[int]:
    channels = list(range(count)) if stretch.channels is None else stretch.channels
    for channel in channels:
        if not 0 <= channel < count:
            raise UnusableError(
                f"has no channel {channel}; its channels are 0 to {count - 1}"
            )
    return list(channels)


def _segment(stretch: Stretch, frames: int, rate: int) -> tuple[int, int]:
    """Return the first sample and the number of samples of a stretch."""
    if frames == 0:
        raise UnusableError("empty: no samples")
    length = frames / rate
    end = length
    if stretch.duration is not None:
        end = stretch.start + stretch.duration
    if stretch.start >= length or end > length + END_TOLERANCE:
        raise UnusableError(
            f"segment from {stretch.start:g} to {end:g} s "
            f"passes the end of the file at {length:g} s"
        )
    first = round(stretch.start * rate)
    count = min(round(end * rate), frames) - first
    if count <= 0:
        raise UnusableError("empty: no samples")
    return first, count


def _measure(
    file: soundfile.SoundFile, first: int, count: int, channels: list[int]
) -> dict[str, Any]:
    """Read so many samples of some channels, a block of them at a time."""
    file.seek(first)
    meter = Meter(len(channels))
    whole = len(channels) == file.channels
    for block in file.blocks(_SAMPLES, frames=count, dtype="float32", always_2d=True):
        meter.add((block if whole else block[:, channels]).T)
    if meter.count != count:
        raise UnusableError(
            f"cannot be decoded: ends {count - meter.count} samples before it should"
        )
    return meter.result()


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
