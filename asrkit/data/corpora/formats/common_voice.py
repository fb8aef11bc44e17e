"""Common Voice: TSV files with client_id, path and sentence; audio is in clips/."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from asrkit.data.corpora.formats.format import Format, Part, Row, scanning
from asrkit.data.corpora.formats.rows import open_text
from asrkit.data.corpora.formats.table import Values, read_table
from asrkit.data.corpora.scan import Utterance

_COLUMNS = {"client_id", "path", "sentence"}


def _recognizes(path: Path) -> bool:
    if path.suffix != ".tsv" or not path.is_file():
        return False
    with open_text(path) as file:
        return set(file.readline().rstrip("\r\n").split("\t")) >= _COLUMNS


def _read(part: Part) -> Iterator[Row]:
    clips = part.path.resolve().parent / "clips"

    def find(row: Values) -> Path:
        path = clips / row["audio"].strip()
        # Early releases leave out .mp3.
        return path if path.suffix else path.with_name(f"{path.name}.mp3")

    for row in read_table(part, find):
        # A clip is one utterance: its name is the id, as everywhere else.
        yield replace(row, id=row.path.stem) if isinstance(row, Utterance) else row


COMMON_VOICE = Format(
    name="common_voice",
    what="a Common Voice list (TSV beside clips/)",
    recognizes=_recognizes,
    prepare=scanning(_read),
)
