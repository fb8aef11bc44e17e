"""What is wrong with an utterance whose audio or features cannot be read."""

import math
from pathlib import Path

import numpy as np
import soundfile
from lhotse import Recording
from lhotse.cut import Cut, MixedCut
from lhotse.cut.data import DataCut

from asrkit.data.left_out import LeftOut
from asrkit.utils.errors import InputError

_LOUDER, _QUIETER = 2.0, 0.01
"""Changes of the level that no augmentation makes."""
_FLOOR = 1e-3
"""RMS below which a rise in level is rounding and dither."""
_LONGEST_REASON = 200
_NOT_NUMBERS = "holds values that are not numbers (NaN or infinite)"


class UnreadableError(InputError):
    """An utterance cannot be read; `row` says which and why."""

    def __init__(self, row: LeftOut) -> None:
        super().__init__(
            f"audio of {row.id} cannot be read ({row.path}: {row.reason}); "
            "run stage 1 again, which lists and leaves out what cannot be read"
        )
        self.row = row


def find_fault(cut: Cut, samples: np.ndarray) -> str | None:
    """Say what is wrong with samples that were read, None if nothing is.

    Their level is compared with that when the corpus was prepared (`rms` in `custom`).

    Args:
        cut: What was read.
        samples: (S,), float32.
    """
    energy = float(np.dot(samples, samples))  # finite only if all samples are
    if not math.isfinite(energy):
        return _NOT_NUMBERS
    if not isinstance(cut, DataCut) or "rms" not in (cut.custom or {}):
        return None
    before, now = cut.custom["rms"], math.sqrt(energy / max(len(samples), 1))
    if now > _LOUDER * before + _FLOOR or now < _QUIETER * before:
        return f"no longer what it was: its RMS is {now:.3g}, was {before:.3g}"
    return None


def is_command(cut: Cut) -> bool:
    """Say whether a cut's audio is what a command prints; Lhotse would run it."""
    sources = [source for one in recordings_of(cut) for source in one.sources]
    return any(source.type == "command" for source in sources)


def explain_features(cut: Cut, feats: np.ndarray | Exception) -> LeftOut:
    """Say why a cut's stored features cannot be used.

    Args:
        cut: What could not be read.
        feats: What was read, (T_in, F), or the error of trying.
    """
    reason = _NOT_NUMBERS if isinstance(feats, np.ndarray) else _summary(feats)
    return LeftOut(cut.id, source_of(cut, stored_features=True), reason)


def explain(cut: Cut, problem: Exception | str) -> LeftOut:
    """Find out which file of a cut is to blame, and for what.

    Args:
        cut: What could not be read.
        problem: The error of reading it, or what is wrong.
    """
    if isinstance(problem, str) and isinstance(cut, DataCut):
        return LeftOut(cut.id, source_of(cut), problem)
    for recording in recordings_of(cut):
        reason = _diagnose(recording)
        if reason is not None:
            return LeftOut(cut.id, _path(recording), reason)
    reason = problem if isinstance(problem, str) else _summary(problem)
    return LeftOut(cut.id, source_of(cut), reason)


def source_of(cut: Cut, *, stored_features: bool = False) -> str:
    """Return the file that a cut's audio, or its stored features, are read from."""
    if stored_features and isinstance(cut, DataCut) and cut.features is not None:
        return str(Path(cut.features.storage_path) / cut.features.storage_key)
    recordings = recordings_of(cut)
    return _path(recordings[0]) if recordings else "no file"


def _summary(error: Exception) -> str:
    """Return the first line of an error, not too long."""
    text = str(error).partition("\n")[0]
    if "number of declared samples" in text:
        return "its length is not that in the manifest"
    return f"{type(error).__name__}: {text}"[:_LONGEST_REASON]


def recordings_of(cut: Cut) -> list[Recording]:
    """Return the recordings of a cut: its own, then those mixed into it."""
    cuts = [track.cut for track in cut.tracks] if isinstance(cut, MixedCut) else [cut]
    return [one.recording for one in cuts if isinstance(one, DataCut) and one.recording]


def _path(recording: Recording) -> str:
    source = recording.sources[0].source
    return source if isinstance(source, str) else "in memory"


def _diagnose(recording: Recording) -> str | None:
    """Read a recording's file again, and say what is wrong with it if something is."""
    if recording.sources[0].type != "file":
        return None
    path = _path(recording)
    if not Path(path).exists():
        return "no such file"
    try:
        samples, _ = soundfile.read(path, dtype="float32")
    except (soundfile.SoundFileError, OSError) as error:
        # libsndfile's messages begin with the path, which is listed already.
        return f"cannot be decoded: {str(error).replace(repr(path), 'file')}"
    if not np.isfinite(samples).all():
        return _NOT_NUMBERS
    return None
