"""Documents of JSON: Whisper's results, and lists of transcripts."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from asrkit.decoding.scoring.reading.lines import ScoredLine, json_row, load_json
from asrkit.utils.errors import InputError


def document_rows(path: Path, text: str) -> Iterator[tuple[str, ScoredLine]]:
    """Return what a document says: of its items, or of the recording of its name.

    Whisper, faster-whisper and OpenAI's service write `text`, `segments` or both for
    one recording, and do not say which.

    Raises:
        InputError: It is malformed.
    """
    document = load_json(text, str(path))
    if isinstance(document, list):
        for number, fields in enumerate(document, start=1):
            where = f"{path}, item {number}"
            yield where, json_row(fields, where)
        return
    yield str(path), ScoredLine(path.stem, text=_text(document, path).split())


def _text(document: Any, path: Path) -> str:
    if isinstance(document, dict):
        if isinstance(document.get("text"), str):
            return str(document["text"])
        segments = document.get("segments")
        if isinstance(segments, list) and all(
            isinstance(one, dict) and isinstance(one.get("text"), str)
            for one in segments
        ):
            return " ".join(one["text"] for one in segments)
    raise InputError(
        f'{path}: expected "text" or "segments", as Whisper writes, or a list of '
        "transcripts with their ids"
    )
