"""Switchboard and Hub5'00, as the LDC sells them, below one folder.

Found by their names, however deep, through links, too:

    sw02001.sph                         LDC97S62, two channels, a speaker each
    sw2001A-ms98-a-trans.text           MS-State's transcripts, a file each side
    sw_4390.sph, en_4156.sph            LDC2002S09, the calls of Hub5'00
    hub5e00*.stm, *hub5*.glm            LDC2002T43, their reference
    fe_03_00001.txt                     LDC2004T19, LDC2005T19: Fisher's text

Parts are `train`, `dev` (conversations that training has not) and Hub5's two halves.
"""

import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from asrkit.data.audio.sphere import PACKED, PROGRAM, is_packed, read_header
from asrkit.data.corpora.folder import Source, files_below
from asrkit.data.corpora.formats.format import Format, Part, Row, scanning
from asrkit.data.corpora.scan import Utterance
from asrkit.data.corpora.telephone import fisher
from asrkit.data.corpora.telephone.hub5 import TEST_SETS, read_hub5
from asrkit.data.corpora.telephone.ms_state import Segment, read_transcript, side_of
from asrkit.data.corpora.telephone.text import Rule, normalize
from asrkit.data.left_out import LeftOut, UnusableError
from asrkit.text.stm import CHANNELS
from asrkit.utils.errors import InputError, some

_RECORDING = re.compile(r"sw0?(\d{4})\.sph", re.IGNORECASE)
_CALL = re.compile(r"((?:sw|en)_\d{4})\.sph", re.IGNORECASE)
_STM, _GLM = re.compile(r"hub5e00.*\.stm"), re.compile(r".*hub5.*\.glm")
_OTHER_TRANSCRIPT = re.compile(r"sw\d{4}.*\.(text|txt|trn|mrk)")
_DEV_SHARE, _LEAST_DEV = 200, 4
"""One conversation of so many is for dev, and so many at least."""


@dataclass
class Files:
    """What lies below a folder."""

    recordings: dict[str, Path] = field(default_factory=dict)
    """Switchboard's, by the number of the conversation."""
    transcripts: dict[tuple[str, str], Path] = field(default_factory=dict)
    """By number and side."""
    calls: dict[str, Path] = field(default_factory=dict)
    """Hub5'00's, by name."""
    stm: Path | None = None
    glm: Path | None = None
    fisher: list[Path] = field(default_factory=list)
    unknown: list[Path] = field(default_factory=list)
    """What looks like transcripts, but is of another version."""

    @property
    def conversations(self) -> list[str]:
        """The numbers of what has recordings or transcripts."""
        return sorted({*self.recordings, *(number for number, _ in self.transcripts)})


def find_files(folder: Path) -> Files:
    """Look through a folder.

    Raises:
        InputError: There is no such folder.
    """
    files = Files()
    for path in files_below(folder):
        if match := _RECORDING.fullmatch(path.name):
            files.recordings[match[1]] = path
        elif side := side_of(path):
            files.transcripts[side] = path
        elif match := _CALL.fullmatch(path.name):
            files.calls[match[1].lower()] = path
        elif _STM.fullmatch(path.name):
            files.stm = path
        elif _GLM.fullmatch(path.name):
            files.glm = path
        elif fisher.NAME.fullmatch(path.name):
            files.fisher.append(path)
        elif _OTHER_TRANSCRIPT.fullmatch(path.name):
            files.unknown.append(path)
    return files


def find_parts(folder: Path, rules: Sequence[Rule]) -> dict[str, Source]:
    """Find the parts that can be prepared.

    Args:
        folder: Holds what was bought.
        rules: Make words of MS-State's transcripts.

    Raises:
        InputError: There is no such folder, or what it holds is not enough.
    """
    files = find_files(folder)
    _check(folder, files)
    parts = ["train", "dev"] + ([] if files.stm is None else list(TEST_SETS))
    format = Format(
        name="switchboard",
        what="Switchboard's and Hub5'00's files",
        recognizes=lambda path: bool(find_files(path).transcripts),
        prepare=scanning(partial(_read, rules=rules)),
    )
    return {part: Source(format, folder) for part in parts}


def _check(folder: Path, files: Files) -> None:
    if not files.transcripts:
        seen = f"; {some(p.name for p in files.unknown)} are others"
        raise InputError(
            f"{folder} has no transcript of MS-State's (sw2001A-ms98-a-trans.text of "
            f"swb_ms98_transcriptions){seen if files.unknown else ''}; get them, and "
            "put them or a link to them into the folder"
        )
    if not files.recordings:
        raise InputError(
            f"{folder} has no recording of Switchboard (sw02001.sph of LDC97S62); put "
            "them or a link to them into the folder"
        )
    if len(files.conversations) <= _LEAST_DEV:
        raise InputError(
            f"{folder} has {len(files.conversations)} conversations; {_LEAST_DEV} of "
            "them are kept for dev, so that none is left to train on"
        )


def split(conversations: Sequence[str]) -> dict[str, list[str]]:
    """Keep the last of all conversations, by their numbers, for dev."""
    kept = max(_LEAST_DEV, len(conversations) // _DEV_SHARE)
    ordered = sorted(conversations)
    return {"train": ordered[:-kept], "dev": ordered[-kept:]}


def _read(part: Part, rules: Sequence[Rule]) -> Iterator[Row]:
    files = find_files(part.path)
    if part.name in TEST_SETS:
        assert files.stm is not None  # otherwise there is no such part
        check_recordings(files.calls.values())
        yield from read_hub5(files.stm, files.calls, part.name)
        return
    numbers = split(files.conversations)[part.name]
    check_recordings(files.recordings[n] for n in numbers if n in files.recordings)
    for number in numbers:
        for side in CHANNELS:
            yield from _read_side(files, number, side, rules)


def check_recordings(paths: Iterable[Path]) -> None:
    """Look at the headers of recordings.

    Raises:
        InputError: One has not two channels, or is packed and nothing can unpack it.
    """
    for path in paths:
        channels = read_header(path).get("channel_count")
        if channels != "2":
            has = f"{channels} channels" if channels else "no header of SPHERE"
            raise InputError(
                f"{path} has {has}; the corpus has SPHERE files of two channels, one a "
                "speaker: take the file as it was bought"
            )
        if is_packed(path) and shutil.which(PROGRAM) is None:
            raise InputError(f"{path} cannot be read: {PACKED}")


def _read_side(
    files: Files, number: str, side: str, rules: Sequence[Rule]
) -> Iterator[Row]:
    id = f"sw{number}{side}"
    recording = files.recordings.get(number)
    transcript = files.transcripts.get((number, side))
    if recording is None:
        yield LeftOut(id, str(transcript), f"no recording sw0{number}.sph is there")
    elif transcript is None:
        yield LeftOut(id, str(recording), f"no transcript {id}-ms98-a-trans.text")
    else:
        for segment in read_transcript(transcript):
            yield _row(segment, recording, id, rules)


def _row(segment: Segment, recording: Path, side: str, rules: Sequence[Rule]) -> Row:
    try:
        text = normalize(segment.text, rules)
        if not text:
            raise UnusableError("no word is said")
    except UnusableError as error:
        return LeftOut(segment.id, segment.where, str(error))
    return Utterance(
        id=segment.id,
        path=recording,
        text=text,
        speaker=side,
        start=segment.start,
        duration=segment.end - segment.start,
        channel=CHANNELS.index(side[-1]),
    )
