"""Reads a list or folder as prepare.py does, and makes recordings to be listed."""

import numpy as np
import soundfile

from asrkit.data.corpora.folder import Reading, find_source, find_sources


def read(path, *, name="part", out=None, **options):
    """Return the cuts of what is one part, and what was left out.

    Args:
        path: The list or folder.
        name: Of the part.
        out: Folder for audio that has no file of its own.
        options: Of `Reading`.
    """
    source = find_source(path)
    assert source is not None, path
    reading = Reading(audio_dir=out or path.parent / "out", jobs=1, **options)
    return reading.prepare(source, name)


def read_part(folder, part):
    """Return the cuts of a part of a corpus, and what was left out."""
    reading = Reading(audio_dir=folder / "out", jobs=2)
    return reading.prepare(find_sources(folder)[part], part)


def tone(path, seconds, *, rate=8000, channels=1, level=0.1):
    """Write a recording; channel k is k + 1 times as loud as the first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    wave = np.sin(np.arange(round(seconds * rate)) * 0.3)
    samples = level * wave[:, None] * np.arange(1, channels + 1)
    soundfile.write(path, samples, rate)
    return path


def facts(cuts):
    """Tell of each cut its id, start, duration, text and speaker."""
    return [
        (
            cut.id,
            round(cut.start, 6),
            round(cut.duration, 6),
            cut.supervisions[0].text,
            cut.supervisions[0].speaker,
        )
        for cut in cuts
    ]


def reasons(left_out):
    """Tell why each utterance was left out."""
    return {row.id: row.reason for row in left_out}
