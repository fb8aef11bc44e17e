"""AISHELL-1's layout, and that of corpora that follow it.

wav/PART/SPEAKER/ID.wav, and for all parts transcript/aishell_transcript_v0.8.txt, whose
lines are an id and words parted by blanks. SPEAKER is the S0002 of BAC009S0002W0122.
"""

import re
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
_ID = re.compile(r"BAC\d{3}(?P<speaker>S\d{4})W\d{4}")


def _recognizes(path: Path) -> bool:
    folder = path.parent.parent / "transcript"
    return path.is_dir() and next(folder.glob(_ANY_VERSION), None) is not None


def _list_of(path: Path) -> list[Path]:
    return [path.parent.parent / "transcript" / TRANSCRIPTS]


def _read(part: Part) -> Iterator[Row]:
    """Read the speakers of a part.

    Left out are transcripts without recording and recordings without transcript, of
    which AISHELL-1 has some hundreds. Transcripts of speakers of no part are listed with
    the first part.
    """
    wav = part.path.resolve().parent
    (transcripts,) = _list_of(part.path.resolve())
    texts = _read_transcripts(transcripts)
    recordings = {path.stem: path for path in part.path.resolve().glob("*/*.wav")}
    here = {path.parent.name for path in recordings.values()}
    if part.path.resolve() == _parts(wav)[0]:
        here |= _speakers(texts) - {path.name for path in wav.glob("*/S*")}
    _check_unpacked(wav, here)
    for id, text in texts.items():
        if _speaker(id) not in here:
            continue
        path = recordings.pop(id, None)
        if path is None:
            yield LeftOut(id, str(transcripts), f"no recording {id}.wav below {wav}")
        else:
            yield Utterance(id=id, path=path, text=text, speaker=path.parent.name)
    for id, path in recordings.items():
        yield LeftOut(id, str(path), f"no line {id} in {TRANSCRIPTS}")
