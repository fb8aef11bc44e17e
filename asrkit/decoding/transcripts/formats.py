"""Transcripts as text, JSON, CTM, SRT and TextGrid."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from asrkit.decoding.transcripts.subtitles import to_srt
from asrkit.decoding.transcripts.textgrid import to_textgrid
from asrkit.decoding.transcripts.transcript import Transcript
from asrkit.decoding.transcripts.words import Word


@dataclass(frozen=True)
class TranscriptFormat:
    """A format of files."""

    write: Callable[[Sequence[Transcript]], str]
    """Returns what a file holds."""
    suffix: str
    """Of such files."""
    one_each: bool = False
    """Whether a file holds one recording only."""


def to_text(transcripts: Sequence[Transcript]) -> str:
    """Return lines `NAME<tab>TEXT`."""
    return "".join(f"{one.name}\t{one.text}\n" for one in transcripts)


def to_json(transcripts: Sequence[Transcript]) -> str:
    """Return a list with an object, and a line, each."""
    lines = [json.dumps(_plain(one), ensure_ascii=False) for one in transcripts]
    return "[\n" + ",\n".join(lines) + "\n]\n"


def to_ctm(transcripts: Sequence[Transcript]) -> str:
    """Return NIST's lines `FILE CHANNEL START DURATION WORD CONFIDENCE`.

    They are in the order of the files' names, as sclite wants it. A comment stands for
    a recording without words.
    """
    lines = []
    for one in sorted(transcripts, key=lambda one: one.id):
        file = "_".join(one.id.split())
        lines += [_ctm_line(file, word) for word in one.words]
        if not one.words:
            lines.append(f";; {file}: no words\n")
    return "".join(lines)


def _ctm_line(file: str, word: Word) -> str:
    start, end = round(word.start, 3), round(word.end, 3)
    return f"{file} 1 {start:.3f} {end - start:.3f} {word.text} {word.confidence:.3f}\n"


def _plain(transcript: Transcript) -> dict[str, Any]:
    """Turn a transcript into what JSON knows."""
    plain: dict[str, Any] = {
        "id": transcript.id,
        "audio": transcript.audio,
        "duration": round(transcript.duration, 6),
        "text": transcript.text,
        "words": [
            {
                "word": word.text,
                "start": round(word.start, 6),
                "end": round(word.end, 6),
                "confidence": round(word.confidence, 6),
            }
            for word in transcript.words
        ],
    }
    if transcript.pieces:
        plain["pieces"] = [asdict(piece) for piece in transcript.pieces]
    return plain


FORMATS = {
    "text": TranscriptFormat(to_text, ".txt"),
    "json": TranscriptFormat(to_json, ".json"),
    "ctm": TranscriptFormat(to_ctm, ".ctm"),
    "srt": TranscriptFormat(to_srt, ".srt", one_each=True),
    "textgrid": TranscriptFormat(to_textgrid, ".TextGrid", one_each=True),
}
"""By the name that users choose it by."""
