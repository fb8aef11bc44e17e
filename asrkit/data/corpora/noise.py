"""Recordings of noise, to be mixed into speech."""

from pathlib import Path

import soundfile
from lhotse import CutSet, Recording

from asrkit.data.audio.inspect import describe_recording
from asrkit.data.corpora.formats.librispeech import SUFFIXES
from asrkit.utils.errors import InputError


def load_noise(folder: Path) -> CutSet:
    """Make a cut of every recording below a folder, for lhotse's CutMix.

    Raises:
        InputError: There is no recording, or one that cannot be decoded.
    """
    files = sorted(path for path in folder.rglob("*") if path.suffix in SUFFIXES)
    if not files:
        raise InputError(
            f"no noise in {folder}: no file below it ends with {', '.join(SUFFIXES)}"
        )
    return CutSet.from_cuts(_open(folder, path).to_cut() for path in files).to_eager()


def _open(folder: Path, path: Path) -> Recording:
    # The whole path: collections of noise use the same names in several folders.
    id = str(path.relative_to(folder).with_suffix(""))
    try:
        with soundfile.SoundFile(path) as file:
            return describe_recording(file, path.resolve(), id)
    except (soundfile.SoundFileError, OSError) as error:
        raise InputError(
            f"{path} cannot be decoded: {error}; repair it or take it away"
        ) from error
