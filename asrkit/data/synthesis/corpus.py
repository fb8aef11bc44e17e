"""Corpora of made-up sentences, spoken by espeak-ng."""

import json
import logging
import multiprocessing
import os
import shutil
import signal
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from itertools import chain, groupby
from pathlib import Path

import soundfile

from asrkit.data.corpora.word_times import TimedWord
from asrkit.data.progress import track
from asrkit.data.synthesis import espeak
from asrkit.data.synthesis.layout import Times
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
    """Speak a corpus into a folder, 16 kHz and 16 bit.

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
    plan = draw_plan(partial, spec)
    times = _speak_all(plan, jobs or os.cpu_count() or 1)
    try:
        spec.layout.write_transcripts(partial, plan, times)
    except OSError as error:
        raise _cannot_write(partial, error) from error
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
        *sorted(set(spec.accents) - set(espeak.languages())),
    ]:
        raise InputError(
            f"this espeak-ng ({espeak.data_path()}) lacks the voices "
            f"{', '.join(lacking)}; pip install --upgrade espeakng-loader"
        )


def _speak_all(plan: list[SpokenUtterance], jobs: int) -> Times:
    # espeak-ng keeps state: what it speaks is the same every time only when a fresh
    # process speaks the same things before. So which voices share a process is fixed.
    speakers = [
        list(items) for _, items in groupby(plan, lambda item: item.path.parent)
    ]
    blocks = [
        list(chain.from_iterable(speakers[first : first + _VOICES_A_PROCESS]))
        for first in range(0, len(speakers), _VOICES_A_PROCESS)
    ]
    times: dict[str, Sequence[TimedWord] | None] = {}
    with (
        track("speaking", len(plan)) as advance,
        ThreadPoolExecutor(jobs) as pool,
    ):
        for spoken in pool.map(_speak_in_fresh_process, blocks):
            times |= spoken
            advance(len(spoken))
    return times


def _speak_in_fresh_process(utterances: list[SpokenUtterance]) -> Times:
    with ProcessPoolExecutor(
        1,
        mp_context=multiprocessing.get_context("spawn"),
        # Ctrl-C is for the parent to report.
        initializer=signal.signal,
        initargs=(signal.SIGINT, signal.SIG_IGN),
    ) as process:
        return process.submit(_speak, utterances).result()


def _speak(utterances: list[SpokenUtterance]) -> Times:
    """Write recordings; return when their words are spoken."""
    return {item.path.stem: _speak_one(item) for item in utterances}


def _speak_one(utterance: SpokenUtterance) -> list[TimedWord] | None:
    samples, words = render(utterance)
    path = utterance.path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, samples, SAMPLE_RATE, subtype="PCM_16")
    except (soundfile.SoundFileError, OSError) as error:
        raise _cannot_write(path.parent, error) from error
    return words


def _cannot_write(folder: Path, error: Exception) -> InputError:
    return InputError(
        f"cannot write the demo corpus to {folder}: {error}; "
        "free some disk space or choose another folder"
    )
