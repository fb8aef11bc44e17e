"""Writes calls as the LDC's discs have them: SPHERE, transcripts, stm and glm."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

from asrkit.data.synthesis.telephone.calls import Call, Turn
from asrkit.data.synthesis.telephone.line import RATE, Heard
from asrkit.text.stm import CHANNELS

TEST_LABELS = {"sw_": "SWB", "en_": "CH"}
_RECORDINGS = "LDC97S62/swb1_d1/data"
_TRANSCRIPTS = "LDC97S62/swb_ms98_transcriptions"
_CALLS = "LDC2002S09/hub5e_00/english"
_REFERENCE = "LDC2002T43/reference"
_GAP = 0.1
"""Seconds of silence that have no segment of their own."""

STM_HEAD = """\
;; CATEGORY "0" "" ""
;; LABEL "O" "Overall" "Overall"
;; CATEGORY "1" "corpus" "Corpus"
;; LABEL "SWB" "Switchboard" "Switchboard"
;; LABEL "CH" "CallHome" "CallHome"
;; CATEGORY "2" "sex" "Sex of the speaker"
;; LABEL "F" "female" "Female speakers"
;; LABEL "M" "male" "Male speakers"
"""
GLM = """\
;; Rules for the calls that espeak-ng speaks, in the style of Hub5's.
* name = "hub5.glm"
* desc = "made up"
* format = 'NIST1'
* max_nrules = '100'
* copy_no_hit = 'T'
* case_sensitive = 'F'
UH              => %HESITATION      / [ ] __ [ ]
UM              => %HESITATION      / [ ] __ [ ]
[[NOISE]]       => @                / [ ] __ [ ]
[[LAUGHTER]]    => @                / [ ] __ [ ]
[[VOCALIZED-NOISE]] => @            / [ ] __ [ ]
"""


def write_call(
    folder: Path, call: Call, samples: np.ndarray, heard: Sequence[Heard]
) -> list[str]:
    """Write a call of training or dev with its transcripts, or one of a test set.

    Args:
        folder: Of the corpus.
        call: What is in the recording.
        samples: (S, 2).
        heard: Its turns.

    Returns:
        Lines of the reference; none of calls that are not to be tested with.
    """
    tested = call.name.startswith(tuple(TEST_LABELS))
    name = call.name if tested else f"sw0{call.name[-4:]}"
    recording = folder / (_CALLS if tested else _RECORDINGS) / f"{name}.sph"
    recording.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(recording, samples, RATE, format="NIST", subtype="ULAW")
    if tested:
        return [stm_line(call, one) for one in heard]
    for side in (0, 1):
        segments = [one for one in heard if one.turn.side == side]
        _write_transcript(folder, call.name, side, segments, len(samples) / RATE)
    return []


def write_reference(folder: Path, lines: Sequence[str]) -> None:
    """Write stm and glm of the test sets, sorted as sclite wants them."""
    reference = folder / _REFERENCE
    reference.mkdir(parents=True, exist_ok=True)
    ordered = sorted(lines, key=lambda line: (line.split()[:2], float(line.split()[3])))
    text = STM_HEAD + "".join(f"{line}\n" for line in ordered)
    (reference / "hub5e00.english.000405.stm").write_text(text, encoding="utf-8")
    (reference / "en20000405_hub5.glm").write_text(GLM, encoding="utf-8")


def stm_line(call: Call, one: Heard) -> str:
    """Return the line of a turn."""
    side = CHANNELS[one.turn.side]
    sex = "F" if call.women[one.turn.side] else "M"
    label = next(TEST_LABELS[start] for start in TEST_LABELS if call.name[:3] == start)
    words = " ".join(piece.reference for piece in one.turn.pieces)
    return (
        f"{call.name} {side} {call.name}_{side} {one.start:.2f} {one.end:.2f} "
        f"<O,{label},{sex}> {words}"
    )


def _write_transcript(
    folder: Path, name: str, side: int, segments: Sequence[Heard], length: float
) -> None:
    number = name.removeprefix("sw")
    id = f"sw{number}{CHANNELS[side]}-ms98-a"
    path = folder / _TRANSCRIPTS / number[:2] / number / f"{id}-trans.text"
    path.parent.mkdir(parents=True, exist_ok=True)
    rows: list[tuple[float, float, str]] = []
    at = 0.0
    for one in segments:
        if one.start - at > _GAP:
            rows.append((at, one.start, "[silence]"))
        rows.append((one.start, one.end, _written(one.turn)))
        at = one.end
    rows.append((at, length, "[silence]"))
    lines = (
        f"{id}-{place:04d} {start:.6f} {end:.6f} {text}\n"
        for place, (start, end, text) in enumerate(rows, start=1)
    )
    path.write_text("".join(lines), encoding="utf-8")


def _written(turn: Turn) -> str:
    return " ".join([*(piece.written for piece in turn.pieces), turn.noise]).strip()
