#!/usr/bin/env bash
# What becomes of the reverberation of a mix when the mix is changed once more.
#
# Version: lhotse 1.33.0 (with torch 2.14.1, Python 3.11).
#
# Expected (written before the first run): MixedCut.reverb_rir(mix_first=True) and
# MixedCut.normalize_loudness(mix_first=True) keep what they do in the cut's field
# `transforms`, "that should be applied to the track after mixing". All methods of a cut
# return a changed copy, so truncate(), resample() and perturb_volume()
# change what is asked for and keep the rest, the reverberation too; for a MonoCut, whose
# reverberation is kept in its recording, they do.
#
# Behaviour: each of them builds a new MixedCut of the changed tracks alone. The
# reverberation is gone, nothing warns of it, and the audio is that of the dry mix. Most
# data loaders resample and cut: what was simulated is then not what is trained on.
#
# Seen:
#   MonoCut: the echo is 0.500 of the click; after truncate 0.500,
#   perturb_volume 0.500, resample 0.500
#   MixedCut: the echo is 0.500 of the click; after truncate 0.000,
#   perturb_volume 0.000, resample 0.000
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
# lhotse imports urllib3 and, to resample without torchaudio, scipy, but installs neither.
"$work/venv/bin/pip" install --quiet lhotse==1.33.0 torch==2.14.1 urllib3==2.5.0 \
    scipy==1.16.3

OMP_NUM_THREADS=1 "$work/venv/bin/python" -I - "$work" <<'PY'
import sys
from pathlib import Path

import numpy as np
import soundfile
from lhotse import Recording

RATE, CLICK, DELAY = 16000, 4000, 2000
folder = Path(sys.argv[1])


def record(name, seconds, **samples):
    """Write a recording that is silent but for some samples."""
    audio = np.zeros(round(seconds * RATE), dtype=np.float32)
    for at, value in samples.items():
        audio[int(at[1:])] = value
    path = folder / f"{name}.wav"
    soundfile.write(path, audio, RATE, subtype="FLOAT")
    return Recording.from_file(path, recording_id=name)


def echo(cut):
    """The loudest sample around the echo of the click, as a share of the click."""
    step = cut.sampling_rate / RATE
    audio = np.abs(cut.load_audio()[0])
    at = [round((CLICK + late) * step) for late in (0, DELAY)]
    click, late = (audio[i - 5 : i + 6].max() for i in at)
    return late / click


rir = record("rir", 0.5, _0=1.0, **{f"_{DELAY}": 0.5})
click = record("click", 1.0, **{f"_{CLICK}": 0.5}).to_cut()
silence = record("silence", 1.0).to_cut()
wet = {
    "MonoCut": click.reverb_rir(rir, normalize_output=False),
    "MixedCut": click.append(silence).reverb_rir(
        rir, normalize_output=False, mix_first=True
    ),
}
changes = {
    "truncate": lambda cut: cut.truncate(duration=0.9),
    "perturb_volume": lambda cut: cut.perturb_volume(0.5),
    "resample": lambda cut: cut.resample(8000),
}
for name, cut in wet.items():
    found = {what: echo(change(cut)) for what, change in changes.items()}
    after = ", ".join(f"{what} {share:.3f}" for what, share in found.items())
    print(f"{name}: the echo is {echo(cut):.3f} of the click; after {after}")
    kept = {what: round(share, 1) for what, share in found.items()}
    assert round(echo(cut), 1) == 0.5
    expected = 0.5 if name == "MonoCut" else 0.0
    assert set(kept.values()) == {expected}, f"{name}: {kept}, no longer {expected}"
PY
