"""Reads the audio of cuts once, wherever it is, and says what it is like."""

import hashlib
import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from os import cpu_count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import soundfile
from lhotse import Recording
from lhotse.audio import AudioSource
from lhotse.cut import Cut, MixedCut
from lhotse.cut.data import DataCut
from lhotse.utils import fastcopy, to_list

from asrkit.data.audio.backend import prefer_libsndfile
from asrkit.data.audio.inspect import (
    END_TOLERANCE,
    Found,
    Meter,
    Stretch,
    inspect_all,
    inspect_file,
)
from asrkit.data.audio.signal import read
from asrkit.data.audio.unreadable import (
    UnreadableError,
    explain,
    recordings_of,
    source_of,
)
from asrkit.data.corpora.supervised import attach
from asrkit.data.left_out import LeftOut, UnusableError

_BLOCK = 5000
"""Cuts handed to the threads at a time."""


@dataclass
class Listener:
    """Reads the audio of utterances."""

    converted: Path | None
    run_commands: bool
    mended: list[str] = field(default_factory=list)
    """Recordings that are not what their manifest says."""
    recordings: dict[tuple[str, str], Recording] = field(default_factory=dict)
    """By file and id: as they are, shared by their utterances."""

    def listen_all(
        self, ready: dict[str, Cut], jobs: int | None
    ) -> Iterator[Cut | LeftOut]:
        """Read all; `ready` is emptied, so that few cuts are in memory twice."""
        plain = [cut for cut in ready.values() if _is_plain(cut)]
        others = [cut for cut in ready.values() if not _is_plain(cut)]
        ready.clear()
        stretches = [_stretch_of(cut) for cut in plain]
        for file in inspect_all(stretches, jobs=jobs, converted=self.converted):
            for index, found in file:
                yield self.finish(plain[index], found)
        rest = iter(others)
        with ThreadPoolExecutor(jobs or cpu_count() or 1) as pool:
            while block := list(islice(rest, _BLOCK)):
                yield from pool.map(self.listen, block)

    def listen(self, cut: Cut) -> Cut | LeftOut:
        """Read a cut that is more than a stretch of a file."""
        try:
            if isinstance(cut, DataCut):
                cut = self.with_file(cut)
            if _is_plain(cut):
                stretch = _stretch_of(cut)
                (found,) = inspect_file(stretch.path, [stretch], self.converted)
                return self.finish(cut, found)
            if any(s.type == "memory" for r in recordings_of(cut) for s in r.sources):
                raise UnusableError("its audio is mixed in memory, not from files")
            meter = Meter(1)
            meter.add(read(cut, cut.sampling_rate)[None])
            return _measured(cut, meter.result())
        except UnreadableError as error:
            return error.row
        except UnusableError as error:
            return LeftOut(cut.id, source_of(cut), str(error))
        except Exception as error:  # lhotse raises what its many readers raise
            return explain(cut, error)

    def finish(self, cut: DataCut, found: Found | str) -> Cut | LeftOut:
        """Make the utterance of what was found in its file."""
        if isinstance(found, str):
            return LeftOut(cut.id, source_of(cut), found)
        if _is_whole(cut) and found.duration < cut.duration - END_TOLERANCE:
            reason = f"{found.duration:g} s long, its manifest says {cut.duration:g} s"
            return LeftOut(cut.id, source_of(cut), reason)
        (segment,) = cut.supervisions
        bare = fastcopy(
            cut,
            start=found.start,
            duration=found.duration,
            supervisions=[],
            features=None,
            recording=self.as_found(cut.recording, found.recording),
        )
        segment = fastcopy(segment, duration=found.duration - segment.start)
        return _measured(attach(bare, segment), found.measured)

    def as_found(self, stated: Recording, file: Recording) -> Recording:
        """Return a recording as its file is, by its own name."""
        key = (file.sources[0].source, stated.id)
        if key not in self.recordings:
            self.recordings[key] = fastcopy(file, id=stated.id)
            if (
                stated.sampling_rate != file.sampling_rate
                or stated.num_channels != file.num_channels
                or abs(stated.duration - file.duration) > END_TOLERANCE
            ):
                self.mended.append(stated.id)
        return self.recordings[key]

    def with_file(self, cut: DataCut) -> DataCut:
        """Store a cut's recording as a file, where it is none and may be."""
        if not cut.has_recording:
            raise UnusableError("has no recording")
        kinds = {source.type for source in cut.recording.sources}
        if "command" in kinds and not self.run_commands:
            raise UnusableError("is a command, and none is run")
        if not kinds & {"memory", "command"}:
            return cut
        if self.converted is None:
            raise UnusableError("its audio is not in a file")
        recording = cut.recording
        path = _store(fastcopy(recording, transforms=None), self.converted)
        source = AudioSource("file", list(recording.channel_ids), str(path))
        return fastcopy(cut, recording=fastcopy(recording, sources=[source]))


def _is_plain(cut: Cut) -> bool:
    """Say whether a cut's audio is a stretch of one file, as it is there."""
    if not isinstance(cut, DataCut) or not cut.has_recording:
        return False
    recording = cut.recording
    if recording.transforms or len(recording.sources) != 1:
        return False
    (source,) = recording.sources
    columns = list(range(len(source.channels)))
    return source.type == "file" and list(source.channels) == columns


def _is_whole(cut: DataCut) -> bool:
    """Say whether a cut is all of its recording, as far as its manifest knows."""
    return bool(cut.start == 0 and cut.duration >= cut.recording.duration)


def _stretch_of(cut: DataCut) -> Stretch:
    """Say where the audio of a cut of a plain file is."""
    path = Path(cut.recording.sources[0].source).absolute()
    duration = None if _is_whole(cut) else cut.duration
    return Stretch(path, cut.start, duration, to_list(cut.channel))


def _measured(cut: Cut, measured: dict[str, Any]) -> Cut:
    """Return a cut with what its samples look like in `custom`."""
    if not isinstance(cut, MixedCut):
        return fastcopy(cut, custom={**(cut.custom or {}), **measured})
    tracks = [
        fastcopy(track, cut=_measured(track.cut, measured))
        if isinstance(track.cut, DataCut)
        else track
        for track in cut.tracks
    ]
    return fastcopy(cut, tracks=tracks)


def _store(recording: Recording, folder: Path) -> Path:
    """Write a recording's audio to a FLAC file of 16 bit, unless that is there."""
    digest = hashlib.sha256()
    for source in recording.sources:
        text = source.source
        digest.update(text if isinstance(text, bytes) else text.encode())
    name = re.sub(r"[^\w.-]", "_", recording.id)[-100:]
    target = folder / f"{name}-{digest.hexdigest()[:12]}.flac"
    if target.is_file():
        return target
    prefer_libsndfile()
    samples = recording.load_audio()
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".convert-", dir=folder) as temporary:
        written = Path(temporary) / "audio.flac"
        soundfile.write(written, samples.T, recording.sampling_rate, subtype="PCM_16")
        os.replace(written, target)
    return target
