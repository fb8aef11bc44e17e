"""Corpora of made-up sentences, spoken by espeak-ng, in LibriSpeech layout."""

import json
import logging
import multiprocessing
import os
import shutil
import signal
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from itertools import groupby
from pathlib import Path

import soundfile

from asrkit.data.corpora.word_times import word_times_path, write_ctm
from asrkit.data.progress import track
from asrkit.data.synthesis import espeak
from asrkit.data.synthesis.plan import Spec, draw_plan
from asrkit.data.synthesis.speech import SAMPLE_RATE
from asrkit.data.synthesis.utterance import SpokenUtterance, render
from asrkit.utils.errors import InputError
from asrkit.utils.files import atomic_write

logger = logging.getLogger(__name__)

DONE = ".demo_corpus.json"
"""File that marks a finished corpus and says what it was made with."""
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
    settings = {**spec.utterances, "seed": spec.seed, "version": spec.version}
    if _settings_of(folder) == settings:
        logger.info("%s: the demo corpus is there already", folder)
        return
    if folder.exists() and _settings_of(folder) is None and any(folder.iterdir()):
        raise InputError(
            f"{folder} holds something that is no demo corpus; "
            "choose another folder, or empty this one"
        )
    _check_voices(spec)
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    _speak_all(draw_plan(partial, spec), jobs or os.cpu_count() or 1)
    with atomic_write(partial / DONE, "w") as file:
        json.dump(settings, file)
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)


def _settings_of(folder: Path) -> dict[str, int | str] | None:
    try:
        return json.loads((folder / DONE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _check_voices(spec: Spec) -> None:
    variants = {*spec.female.split(), *spec.male.split()}
    if lacking := [
        *sorted(variants - set(espeak.variants())),
        *sorted(set(spec.accents) - set(espeak.accents())),
    ]:
        raise InputError(
            f"this espeak-ng ({espeak.data_path()}) lacks the voices "
            f"{', '.join(lacking)}; pip install --upgrade espeakng-loader"
        )


def _speak_all(plan: list[SpokenUtterance], jobs: int) -> None:
    # espeak-ng keeps state: what it speaks is the same every time only when a fresh
    # process speaks the same things before. So which voices share a process is fixed.
    chapters = [
        list(items) for _, items in groupby(plan, lambda item: item.path.parent)
    ]
    blocks = [
        chapters[first : first + _VOICES_A_PROCESS]
        for first in range(0, len(chapters), _VOICES_A_PROCESS)
    ]
    with (
        track("speaking", len(plan)) as advance,
        ThreadPoolExecutor(jobs) as pool,
    ):
        untimed = []
        for block, lacking in zip(
            blocks, pool.map(_speak_in_fresh_process, blocks), strict=True
        ):
            untimed += lacking
            advance(sum(map(len, block)))
    if untimed:
        logger.warning(
            "espeak-ng took words of %d utterances together or apart, which are "
            "without word times: %s",
            len(untimed),
            ", ".join(untimed),
        )


def _speak_in_fresh_process(chapters: list[list[SpokenUtterance]]) -> list[str]:
    with ProcessPoolExecutor(
        1,
        mp_context=multiprocessing.get_context("spawn"),
        # Ctrl-C is for the parent to report.
        initializer=signal.signal,
        initargs=(signal.SIGINT, signal.SIG_IGN),
    ) as process:
        return process.submit(_speak_chapters, chapters).result()


def _speak_chapters(chapters: list[list[SpokenUtterance]]) -> list[str]:
    """Return the utterances without word times."""
    try:
        return [one for chapter in chapters for one in _speak_chapter(chapter)]
    except (soundfile.SoundFileError, OSError) as error:
        folder = chapters[0][0].path.parents[3]
        raise InputError(
            f"cannot write the demo corpus to {folder}: {error}; "
            "free some disk space or choose another folder"
        ) from error


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
