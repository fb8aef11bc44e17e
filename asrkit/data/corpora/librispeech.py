"""Folders in LibriSpeech layout.

PART/SPEAKER/CHAPTER/SPEAKER-CHAPTER.trans.txt holds a line "ID TEXT" for each
recording ID.flac (or .wav, .ogg, .opus) beside it. SPEAKER-CHAPTER.words.ctm beside it,
if there is one, says when each word is spoken (`asrkit.data.corpora.word_times`).
"""

import logging
from collections.abc import Iterator
from pathlib import Path

from lhotse import CutSet

from asrkit.data.corpora.scan import Utterance, scan
from asrkit.data.corpora.word_times import TimedWord, read_ctm, word_times_path
from asrkit.data.left_out import LeftOut
from asrkit.utils.errors import InputError

logger = logging.getLogger(__name__)

KINDS = ("train", "dev", "test")
"""What a part is for; its name begins with one of these."""
SUFFIXES = (".flac", ".wav", ".ogg", ".opus")
_TRANSCRIPTS = "*/*/*.trans.txt"


def kind_of(part: str) -> str | None:
    """Return the one of `KINDS` that a part's name begins with, None if none does."""
    return next((kind for kind in KINDS if part.startswith(kind)), None)


def find_parts(corpus_dir: Path) -> list[str]:
    """List the parts of a corpus: those for training first, those for testing last.

    Raises:
        InputError: There is no such folder, or it holds no part.
    """
    if not corpus_dir.is_dir():
        raise InputError(
            f"{corpus_dir}: no such folder; "
            "give the folder that holds a corpus in LibriSpeech layout"
        )
    folders = sorted(folder for folder in corpus_dir.iterdir() if folder.is_dir())
    found = [f.name for f in folders if next(f.glob(_TRANSCRIPTS), None) is not None]
    parts = [part for part in found if kind_of(part) is not None]
    if not parts:
        names = ", ".join(folder.name for folder in folders) or "none"
        raise InputError(
            f"{corpus_dir} holds no corpus in LibriSpeech layout: looked for "
            "{train,dev,test}*/SPEAKER/CHAPTER/SPEAKER-CHAPTER.trans.txt; "
            f"the folders there are: {names}"
        )
    if others := sorted(set(found) - set(parts)):
        logger.warning(
            "%s: left aside, as their names begin with none of train, dev and test: %s",
            corpus_dir,
            ", ".join(others),
        )
    return sorted(parts, key=lambda part: (KINDS.index(kind_of(part) or ""), part))


def prepare_part(
    corpus_dir: Path, part: str, *, jobs: int | None = None
) -> tuple[CutSet, list[LeftOut]]:
    """Make the cuts of one part; the text is taken as it stands in the file.

    Args:
        corpus_dir: Folder that holds the parts.
        part: One of `find_parts(corpus_dir)`.
        jobs: Threads that read recordings; None for one a CPU.

    Returns:
        The cuts, and what was left out: recordings that `scan` refuses, transcripts
        without recording and recordings without transcript.
    """
    utterances: list[Utterance] = []
    left_out: list[LeftOut] = []
    for transcript in sorted((corpus_dir.resolve() / part).glob(_TRANSCRIPTS)):
        for row in _read_chapter(transcript):
            (left_out if isinstance(row, LeftOut) else utterances).append(row)  # type: ignore[arg-type]
    cuts, refused = scan(utterances, name=part, jobs=jobs)
    return cuts, sorted(left_out + refused, key=lambda row: (row.id, row.path))


def _read_chapter(transcript: Path) -> Iterator[Utterance | LeftOut]:
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
