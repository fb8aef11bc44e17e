"""Kaldi data directories, and ESPnet's dumps, which are the same.

`wav.scp` (RECORDING and a file, a place in an archive, or a command), `text`
(UTTERANCE WORDS), and where they are there `segments` (UTTERANCE RECORDING START END),
`utt2spk` and `reco2file_and_channel`. Nothing that is written about the length of audio
(reco2dur, utt2num_samples) is believed: the audio is read.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import soundfile

from asrkit.data.corpora.audio_store import AudioStore, refuse_command
from asrkit.data.corpora.formats.format import Format, Part, Row, scanning
from asrkit.data.corpora.formats.rows import open_text
from asrkit.data.corpora.formats.table import one_line
from asrkit.data.corpora.locate import Locator
from asrkit.data.corpora.scan import Utterance
from asrkit.data.left_out import LeftOut, UnusableError
from asrkit.data.progress import track
from asrkit.utils.errors import InputError

_ARCHIVED = re.compile(r"(?P<archive>.+\.ark):(?P<offset>\d+)")


@dataclass(frozen=True)
class _Segment:
    id: str
    recording: str
    start: float = 0.0
    end: float | None = None
    """None: to the end of the recording."""


@dataclass(frozen=True)
class _Lists:
    """What the files of a data directory say."""

    folder: Path
    recordings: dict[str, str]
    texts: dict[str, str]
    speakers: dict[str, str]
    channels: dict[str, int]


def _recognizes(path: Path) -> bool:
    return (path / "wav.scp").is_file()


def _read(part: Part) -> Iterator[Row]:
    folder, repeated = part.path, list[LeftOut]()
    lists = _Lists(
        folder,
        _mapping(folder / "wav.scp", repeated),
        _mapping(folder / "text", repeated),
        _mapping(folder / "utt2spk", repeated, needed=False),
        _channels(folder / "reco2file_and_channel", repeated),
    )
    if not part.store.run_commands:
        _refuse_commands(folder, lists.recordings)
    listed = list(_segments(lists))
    segments = [one for one in listed if isinstance(one, _Segment)]
    yield from repeated
    yield from (one for one in listed if isinstance(one, LeftOut))
    yield from _unused(lists, listed)
    paths = _fetch(lists, {segment.recording for segment in segments}, part)
    channels = _those_there(lists.channels, paths)
    for segment in segments:
        path = paths[segment.recording]
        if isinstance(path, str):
            where = lists.recordings[segment.recording]
            yield LeftOut(segment.id, where, path)
        else:
            yield Utterance(
                id=segment.id,
                path=path,
                text=one_line(lists.texts[segment.id]),
                speaker=lists.speakers.get(segment.id),
                start=segment.start,
                duration=None if segment.end is None else segment.end - segment.start,
                channel=channels.get(segment.recording),
            )


def _mapping(
    path: Path, repeated: list[LeftOut], *, needed: bool = True
) -> dict[str, str]:
    """Read lines KEY VALUE; of a key's lines the first counts, the others are noted."""
    if not needed and not path.is_file():
        return {}
    values: dict[str, str] = {}
    for line, key, value in _lines(path):
        if values.setdefault(key, value) != value:
            reason = f"{path.name} has another line for {key}, which counts"
            repeated.append(LeftOut(key, f"{path}:{line}", reason))
    return values


def _lines(path: Path) -> Iterator[tuple[int, str, str]]:
    with open_text(path) as file:
        for line, text in enumerate(file, start=1):
            if text.strip():
                key, *rest = text.split(maxsplit=1)
                yield line, key, "".join(rest).strip()


def _channels(path: Path, repeated: list[LeftOut]) -> dict[str, int]:
    """Read lines RECORDING FILE CHANNEL, the channel A or B, or 1 or 2."""
    channels = {}
    for key, value in _mapping(path, repeated, needed=False).items():
        letter = value.split()[-1:]
        if letter in (["A"], ["1"]):
            channels[key] = 0
        elif letter in (["B"], ["2"]):
            channels[key] = 1
        else:
            raise InputError(f"{path}: {key} has the channel {value!r}, not A or B")
    return channels


def _refuse_commands(folder: Path, recordings: Mapping[str, str]) -> None:
    for id, where in recordings.items():
        if where.endswith("|"):
            raise refuse_command(f"{folder / 'wav.scp'}: {id}", where)


def _segments(lists: _Lists) -> Iterator[_Segment | LeftOut]:
    """Yield the utterances, or why one cannot be used."""
    path = lists.folder / "segments"
    if path.is_file():
        listed = (_parse(path, *line) for line in _lines(path))
    else:
        listed = (_Segment(id, id) for id in lists.recordings)
    for row in listed:
        if isinstance(row, _Segment) and row.recording not in lists.recordings:
            yield LeftOut(row.id, str(path), f"no line {row.recording} in wav.scp")
        elif isinstance(row, _Segment) and row.id not in lists.texts:
            yield LeftOut(row.id, str(lists.folder / "text"), "no line in text")
        else:
            yield row


def _parse(path: Path, line: int, id: str, rest: str) -> _Segment | LeftOut:
    try:
        recording, start, end = rest.split()[:3]
        segment = _Segment(id, recording, float(start), float(end))
    except ValueError:
        expected = "UTTERANCE RECORDING START END, times in seconds"
        return LeftOut(id, f"{path}:{line}", f"expected {expected}, found {id} {rest}")
    if segment.end == -1:  # Kaldi's extract-segments: the end of the recording
        return _Segment(id, recording, segment.start)
    if not 0 <= segment.start < float(end):
        reason = f"the segment from {start} to {end} s is none"
        return LeftOut(id, f"{path}:{line}", reason)
    return segment


def _unused(lists: _Lists, listed: Sequence[_Segment | LeftOut]) -> Iterator[LeftOut]:
    """List the texts and recordings that no utterance names."""
    name = "segments" if (lists.folder / "segments").is_file() else "wav.scp"
    for id in lists.texts.keys() - {row.id for row in listed}:
        yield LeftOut(id, str(lists.folder / "text"), f"no line in {name}")
    segments = [row for row in listed if isinstance(row, _Segment)]
    if len(segments) == len(listed):  # else one that is left out may name it
        for id in lists.recordings.keys() - {segment.recording for segment in segments}:
            yield LeftOut(id, lists.recordings[id], "no line in segments names it")


def _fetch(lists: _Lists, recordings: set[str], part: Part) -> dict[str, Path | str]:
    """Find the file of each recording, or the reason why there is none."""
    locate = Locator(lists.folder)
    paths: dict[str, Path | str] = {}
    others: list[str] = []
    for id in sorted(recordings):
        where = lists.recordings[id]
        if where.endswith("|") or _ARCHIVED.fullmatch(where):
            others.append(id)
        else:
            paths[id] = locate(where)

    def make(id: str) -> Path | str:
        try:
            return _make_file(id, lists.recordings[id], locate, part.store)
        except UnusableError as error:
            return str(error)

    with (
        track(f"{part.name}: audio", len(others)) as advance,
        ThreadPoolExecutor(part.jobs or os.cpu_count() or 1) as pool,
    ):
        for id, path in zip(others, pool.map(make, others), strict=True):
            paths[id] = path
            advance(1)
    return paths


def _make_file(id: str, where: str, locate: Locator, store: AudioStore) -> Path:
    if match := _ARCHIVED.fullmatch(where):
        return store.from_archive(id, locate(match["archive"]), int(match["offset"]))
    return store.from_command(id, where.removesuffix("|").strip())


def _those_there(
    channels: Mapping[str, int], paths: Mapping[str, Path | str]
) -> dict[str, int]:
    """Drop channels of files that hold one: the command has cut it out already."""
    kept = {}
    for id, channel in channels.items():
        path = paths.get(id)
        if isinstance(path, Path) and not (channel and _is_mono(path)):
            kept[id] = channel
    return kept


def _is_mono(path: Path) -> bool:
    try:
        return soundfile.info(path).channels == 1
    except (soundfile.SoundFileError, OSError):
        return False  # what is wrong is said when it is read


KALDI = Format(
    name="kaldi",
    what="a Kaldi data directory (wav.scp, text, segments)",
    recognizes=_recognizes,
    prepare=scanning(_read),
)
