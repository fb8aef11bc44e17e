"""Corpora of made-up sentences, spoken by espeak-ng, in LibriSpeech layout."""

import logging
import os
from itertools import groupby
from pathlib import Path

import soundfile

from asrkit.data.corpora.word_times import word_times_path, write_ctm
from asrkit.data.synthesis.making import make_once, speak_in_fresh_processes
from asrkit.data.synthesis.plan import Spec, draw_plan
from asrkit.data.synthesis.speech import SAMPLE_RATE
from asrkit.data.synthesis.utterance import SpokenUtterance, render

logger = logging.getLogger(__name__)

_VOICES_A_PROCESS = 6


def synthesize(folder: Path, spec: Spec, *, jobs: int | None = None) -> None:
    """Speak a corpus into folder/{train,dev,test}/SPEAKER/1/, 16 kHz FLAC of 16 bit.

    Beside each chapter's transcripts are the times of their words (`word_times`).

    No two parts share a sentence, a voice or a variant. The same spec gives the same
    samples, whatever `jobs`. A finished corpus of the same version, seed and sizes is
    left alone; one of others is replaced.

    Args:
        folder: Where to write; made when missing.
        spec: Says what to speak, e.g. `asrkit.data.synthesis.specs.DEMO`.
        jobs: Processes; None for one a CPU.

    Raises:
        InputError: espeak-ng is missing, or the folder holds something else.
    """

    def make(unfinished: Path) -> None:
        _speak_all(draw_plan(unfinished, spec), jobs or os.cpu_count() or 1)

    make_once(folder, spec, make)


def _speak_all(plan: list[SpokenUtterance], jobs: int) -> None:
    chapters = [
        list(items) for _, items in groupby(plan, lambda item: item.path.parent)
    ]
    untimed = []
    for lacking in speak_in_fresh_processes(
        _speak_chapters,
        chapters,
        size=_VOICES_A_PROCESS,
        jobs=jobs,
        folder=plan[0].path.parents[3],
    ):
        untimed += lacking
    if untimed:
        logger.warning(
            "espeak-ng took words of %d utterances together or apart, which are "
            "without word times: %s",
            len(untimed),
            ", ".join(untimed),
        )


def _speak_chapters(chapters: list[list[SpokenUtterance]]) -> list[str]:
    """Return the utterances without word times."""
    return [one for chapter in chapters for one in _speak_chapter(chapter)]


def _speak_chapter(utterances: list[SpokenUtterance]) -> list[str]:
    folder = utterances[0].path.parent
    folder.mkdir(parents=True)
    times = {}
    for utterance in utterances:
        samples, times[utterance.path.stem] = render(utterance)
        soundfile.write(utterance.path, samples, SAMPLE_RATE, subtype="PCM_16")
    lines = (f"{item.path.stem} {item.text}\n" for item in utterances)
    transcript = folder / f"{folder.parent.name}-{folder.name}.trans.txt"
    transcript.write_text("".join(lines), encoding="utf-8")
    known = {id: words for id, words in times.items() if words is not None}
    write_ctm(known, word_times_path(transcript))
    return sorted(times.keys() - known.keys())
