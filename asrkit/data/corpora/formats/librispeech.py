"""Folders in LibriSpeech layout.

PART/SPEAKER/CHAPTER/SPEAKER-CHAPTER.trans.txt holds a line "ID TEXT" for each
recording ID.flac (or .wav, .ogg, .opus) beside it. SPEAKER-CHAPTER.words.ctm beside it,
if there is one, says when each word is spoken (`asrkit.data.corpora.word_times`).
"""

import logging
from collections.abc import Iterator
from pathlib import Path

from asrkit.data.corpora.formats.format import Format, Part, Row, scanning
from asrkit.data.corpora.scan import Utterance
from asrkit.data.corpora.word_times import TimedWord, read_ctm, word_times_path
from asrkit.data.left_out import LeftOut
from asrkit.utils.errors import InputError

logger = logging.getLogger(__name__)

SUFFIXES = (".flac", ".wav", ".ogg", ".opus")
TRANSCRIPTS = "*/*/*.trans.txt"


def _recognizes(path: Path) -> bool:
    return path.is_dir() and next(path.glob(TRANSCRIPTS), None) is not None


def _read(part: Part) -> Iterator[Row]:
    """Read the chapters of a part; the text is taken as it stands in the file.

    Left out are transcripts without recording and recordings without transcript.
    """
    for transcript in sorted(part.path.resolve().glob(TRANSCRIPTS)):
        yield from _read_chapter(transcript)


def _read_chapter(transcript: Path) -> Iterator[Row]:
    folder = transcript.parent
    recordings = {p.stem: p for p in folder.iterdir() if p.suffix in SUFFIXES}
    speaker = folder.parent.name
    times = _read_times(transcript)
    for line in _lines(transcript):
        id, _, text = line.partition(" ")
        path = recordings.pop(id, None)
        words = times.pop(id, None)
        if path is None:
            reason = f"no recording {id}{{{','.join(SUFFIXES)}}} beside the transcript"
            yield LeftOut(id, str(transcript), reason)
        else:
            _check_times(transcript, id, text, words)
            text = text.strip()
            yield Utterance(id=id, path=path, text=text, speaker=speaker, words=words)
    for id, path in recordings.items():
        yield LeftOut(id, str(path), f"no line {id} in {transcript.name}")
    if times:
        logger.warning(
            "%s: left aside, as there is no such line in %s: %s",
            word_times_path(transcript),
            transcript.name,
            ", ".join(times),
        )


def _read_times(transcript: Path) -> dict[str, list[TimedWord]]:
    path = word_times_path(transcript)
    return read_ctm(path) if path.exists() else {}


def _check_times(
    transcript: Path, id: str, text: str, words: list[TimedWord] | None
) -> None:
    if words is not None and [word.text for word in words] != text.split():
        raise InputError(
            f"{word_times_path(transcript)}: the words of {id} are not those of "
            f"{transcript.name}; correct the file or delete it"
        )


def _lines(transcript: Path) -> list[str]:
    try:
        text = transcript.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{transcript} is not UTF-8 ({error.reason} at byte {error.start}); "
            "convert it, e.g. with iconv"
        ) from error
    return [stripped for line in text.splitlines() if (stripped := line.strip())]


LIBRISPEECH = Format(
    name="librispeech",
    what="LibriSpeech layout (SPEAKER/CHAPTER/*.trans.txt)",
    recognizes=_recognizes,
    prepare=scanning(_read),
)
