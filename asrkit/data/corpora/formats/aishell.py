"""AISHELL-1's layout.

wav/PART/SPEAKER/ID.wav, and for all parts transcript/aishell_transcript_v0.8.txt, whose
lines are an id and words parted by blanks; the ID BAC009S0002W0122 is of speaker S0002.
"""

import unicodedata
from collections.abc import Iterator
from pathlib import Path

from asrkit.data.corpora.formats.format import Format, Part, Row, scanning
from asrkit.data.corpora.formats.rows import open_text
from asrkit.data.corpora.parts import part_order
from asrkit.data.corpora.scan import Utterance
from asrkit.data.left_out import LeftOut
from asrkit.utils.errors import InputError

TRANSCRIPTS = "aishell_transcript_v0.8.txt"
_ANY_VERSION = "aishell_transcript*"
_SPEAKER = slice(6, 11)
"""Of an id."""


def _recognizes(path: Path) -> bool:
    folder = _transcripts(path).parent
    return path.is_dir() and next(folder.glob(_ANY_VERSION), None) is not None


def _transcripts(path: Path) -> Path:
    return path.resolve().parent.parent / "transcript" / TRANSCRIPTS


def _read(part: Part) -> Iterator[Row]:
    """Read the speakers of a part.

    Left out are transcripts without recording, and recordings without transcript, of
    which AISHELL-1 has some hundreds.
    """
    path = part.path.resolve()
    transcripts = _transcripts(path)
    texts = list(_lines_of(path, transcripts))
    recordings = {one.stem: one for one in path.glob("*/*.wav")}
    lacking = {id for id, _ in texts} - recordings.keys()
    _check_unpacked(path.parent, {id[_SPEAKER] for id in lacking})
    for id, text in texts:
        if id in lacking:
            yield LeftOut(id, str(transcripts), f"no recording {id}.wav in {path}")
        else:
            speaker = id[_SPEAKER]
            yield Utterance(id=id, path=recordings[id], text=text, speaker=speaker)
    for id in recordings.keys() - dict(texts).keys():
        yield LeftOut(id, str(recordings[id]), f"no line {id} in {TRANSCRIPTS}")


def _lines_of(path: Path, transcripts: Path) -> Iterator[tuple[str, str]]:
    """Read the lines of a part's speakers; the first part has those of nobody, too."""
    parts = [one.name for one in path.parent.iterdir() if one.is_dir()]
    first = min(parts, key=part_order)
    here = {one.name for one in path.iterdir()}
    elsewhere = {one.name for one in path.parent.glob("*/*")} - here
    for id, text in _read_lines(transcripts):
        speaker = id[_SPEAKER]
        if speaker in here or (path.name == first and speaker not in elsewhere):
            yield id, text


def _read_lines(path: Path) -> Iterator[tuple[str, str]]:
    """Read ids and texts; characters as wide as Chinese ones become Latin capitals."""
    if not path.is_file():
        others = ", ".join(sorted(one.name for one in path.parent.glob(_ANY_VERSION)))
        raise InputError(
            f"{path.parent} holds {others} and no {TRANSCRIPTS}, which is what is "
            "read: take it from data_aishell.tgz"
        )
    with open_text(path) as file:
        for line in file:
            if words := unicodedata.normalize("NFKC", line).upper().split():
                yield words[0], "".join(words[1:])


def _check_unpacked(wav: Path, incomplete: set[str]) -> None:
    """Raise where speakers lack recordings that are still in an archive."""
    packed = {one.name.removesuffix(".tar.gz") for one in wav.glob("*.tar.gz")}
    if half := sorted(packed & incomplete):
        raise InputError(
            f"{wav}: {len(half)} archives are not unpacked, or not to their end "
            f"({', '.join(half[:3])}{', ...' if half[3:] else ''}); unpack them there: "
            "for one in *.tar.gz; do tar xf $one; done"
        )


AISHELL = Format(
    name="aishell",
    what=f"AISHELL-1's layout (SPEAKER/*.wav and ../../transcript/{TRANSCRIPTS})",
    recognizes=_recognizes,
    prepare=scanning(_read),
    elsewhere=lambda path: [_transcripts(path)],
)
