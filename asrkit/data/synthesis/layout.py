"""How spoken corpora are laid out: as LibriSpeech, and as AISHELL-1."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from asrkit.data.corpora.word_times import TimedWord, word_times_path, write_ctm
from asrkit.data.synthesis.utterance import SpokenUtterance

logger = logging.getLogger(__name__)

Times = Mapping[str, Sequence[TimedWord] | None]
"""When the words of an utterance are spoken, by its id; None where nobody knows."""


@dataclass(frozen=True)
class Layout:
    """Where the files of a corpus are."""

    recording: Callable[[str, int, int], Path]
    """(part, speaker, number) -> the recording, below the corpus' folder; the name
    without its ending is the utterance's id. A speaker has a folder."""
    write_transcripts: Callable[[Path, Sequence[SpokenUtterance], Times], None]
    """(the corpus' folder, its utterances, their word times)"""


def _librispeech_recording(part: str, speaker: int, number: int) -> Path:
    return Path(part, str(speaker), "1", f"{speaker}-1-{number:04d}.flac")


def _write_chapters(
    folder: Path, utterances: Sequence[SpokenUtterance], times: Times
) -> None:
    """Write a list of transcripts and one of word times for each speaker."""
    for chapter, items in groupby(utterances, lambda item: item.path.parent):
        texts = {item.path.stem: item.text for item in items}
        transcript = chapter / f"{chapter.parent.name}-{chapter.name}.trans.txt"
        _write_lines(transcript, texts)
        known = {id: words for id in texts if (words := times[id]) is not None}
        write_ctm(known, word_times_path(transcript))
    if untimed := sorted(id for id, words in times.items() if words is None):
        logger.warning(
            "espeak-ng took words of %d utterances together or apart, which are "
            "without word times: %s",
            len(untimed),
            ", ".join(untimed),
        )


def _write_lines(path: Path, texts: Mapping[str, str]) -> None:
    lines = (f"{id} {text}\n" for id, text in texts.items())
    path.write_text("".join(lines), encoding="utf-8")


def _aishell_recording(part: str, speaker: int, number: int) -> Path:
    folder = Path("data_aishell", "wav", part, f"S{speaker:04d}")
    return folder / f"BAC009S{speaker:04d}W{number:04d}.wav"


def _write_one_list(
    folder: Path, utterances: Sequence[SpokenUtterance], times: Times
) -> None:
    """Write the transcripts of all parts; AISHELL-1 has no word times."""
    path = folder / "data_aishell/transcript/aishell_transcript_v0.8.txt"
    path.parent.mkdir()
    _write_lines(path, {item.path.stem: item.text for item in utterances})


LIBRISPEECH = Layout(_librispeech_recording, _write_chapters)
"""PART/SPEAKER/1/SPEAKER-1-NUMBER.flac with transcripts and word times beside it."""
AISHELL = Layout(_aishell_recording, _write_one_list)
"""data_aishell/wav/PART/SPEAKER/*.wav, and one list of transcripts."""
