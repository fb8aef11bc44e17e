"""Telephone calls in a folder like that of Switchboard and Hub5'00."""

import os
from functools import partial
from pathlib import Path

from asrkit.data.synthesis.making import make_once, speak_in_fresh_processes
from asrkit.data.synthesis.telephone.calls import Call, DialogueSpec, draw_calls
from asrkit.data.synthesis.telephone.layout import write_call, write_reference
from asrkit.data.synthesis.telephone.line import render

_CALLS_A_PROCESS = 3


def synthesize_dialogues(
    folder: Path, spec: DialogueSpec, *, jobs: int | None = None
) -> None:
    """Speak a corpus: LDC97S62/, LDC2002S09/ and LDC2002T43/ as the LDC has them.

    Recordings are SPHERE of 8 kHz and mu-law, a speaker on each of two channels. The
    same spec gives the same samples, whatever `jobs`; `making.make_once` says when a
    corpus is made.

    Args:
        folder: Where to write; made when missing.
        spec: Says what to speak, e.g. `telephone.specs.DIALOGUES`.
        jobs: Processes; None for one a CPU.

    Raises:
        InputError: espeak-ng is missing, or the folder holds something else.
    """

    def make(unfinished: Path) -> None:
        lines: list[str] = []
        for written in speak_in_fresh_processes(
            partial(_speak, unfinished),
            list(draw_calls(spec)),
            size=_CALLS_A_PROCESS,
            jobs=jobs or os.cpu_count() or 1,
            folder=unfinished,
        ):
            lines += written
        write_reference(unfinished, lines)

    make_once(folder, spec.spoken, make)


def _speak(folder: Path, calls: list[Call]) -> list[str]:
    lines = []
    for call in calls:
        samples, heard = render(call)
        lines += write_call(folder, call, samples, heard)
    return lines
