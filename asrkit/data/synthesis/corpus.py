"""Corpora of made-up sentences, spoken by espeak-ng."""

import os
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import soundfile

from asrkit.data.corpora.word_times import TimedWord
from asrkit.data.synthesis.layout import Times
from asrkit.data.synthesis.making import make_once, speak_in_fresh_processes
from asrkit.data.synthesis.plan import Spec, draw_plan
from asrkit.data.synthesis.speech import SAMPLE_RATE
from asrkit.data.synthesis.utterance import SpokenUtterance, render

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

    def make(unfinished: Path) -> None:
        plan = draw_plan(unfinished, spec)
        times = _speak_all(plan, jobs or os.cpu_count() or 1)
        spec.layout.write_transcripts(unfinished, plan, times)

    make_once(folder, spec, make)


def _speak_all(plan: list[SpokenUtterance], jobs: int) -> Times:
    times: dict[str, Sequence[TimedWord] | None] = {}
    for spoken in speak_in_fresh_processes(
        _speak,
        [list(items) for _, items in groupby(plan, lambda item: item.path.parent)],
        size=_VOICES_A_PROCESS,
        jobs=jobs,
        folder=Path(os.path.commonpath([one.path.parent for one in plan])),
    ):
        times |= spoken
    return times


def _speak(speakers: list[list[SpokenUtterance]]) -> Times:
    """Write recordings; return when their words are spoken."""
    return {item.path.stem: _speak_one(item) for items in speakers for item in items}


def _speak_one(utterance: SpokenUtterance) -> Sequence[TimedWord] | None:
    samples, words = render(utterance)
    utterance.path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(utterance.path, samples, SAMPLE_RATE, subtype="PCM_16")
    return words
