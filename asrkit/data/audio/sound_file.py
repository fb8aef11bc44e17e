"""Opening recordings, whichever program knows their format."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import soundfile

from asrkit.data.audio import ffmpeg, sphere
from asrkit.data.audio.ffmpeg import converted_path
from asrkit.data.left_out import UnusableError

_UNKNOWN = {1, 4}
"""libsndfile's codes for a format, and for an encoding, that it does not know."""

_UNKNOWN_LENGTH = 2**63 - 1
"""Frames of a FLAC file that was written into a pipe, as libsndfile 1.2.2 has it; it
cannot seek there."""


class _UnknownFormatError(UnusableError):
    """libsndfile does not know the format; another program might."""

    convert = staticmethod(ffmpeg.convert)
    """Makes a FLAC file (target) of a recording (source)."""


class _PackedError(_UnknownFormatError):
    """SPHERE that shorten has packed."""

    convert = staticmethod(sphere.unpack)


def open_sound(path: Path) -> soundfile.SoundFile:
    """Open a file that libsndfile knows.

    Raises:
        UnusableError: There is no such file, or it cannot be decoded.
    """
    if not path.is_file():
        raise UnusableError("a folder" if path.is_dir() else "no such file")
    if not path.stat().st_size:
        raise UnusableError("empty: no bytes")
    try:
        file = soundfile.SoundFile(path)
    except soundfile.LibsndfileError as error:
        if sphere.is_packed(path):
            raise _PackedError(f"cannot be decoded: {sphere.PACKED}") from error
        kind = _UnknownFormatError if error.code in _UNKNOWN else UnusableError
        raise kind(describe_failure(path, error)) from error
    except TypeError as error:  # soundfile wants to be told what no header says
        raise UnusableError(
            "has no header that says its rate and encoding (RAW); convert it, e.g. "
            "sox -r 16000 -e signed -b 16 -c 1 FILE.raw FILE.wav"
        ) from error
    except Exception as error:  # one bad file must not end the reading of all others
        raise UnusableError(describe_failure(path, error)) from error
    if file.frames == _UNKNOWN_LENGTH:
        file.close()
        raise _UnknownFormatError("its header does not say how long it is")
    return file


def open_readable(path: Path, converted: Path | None) -> soundfile.SoundFile:
    """Open a recording, or what others make of it where libsndfile does not know it.

    These are ffmpeg, and sph2pipe for packed SPHERE.

    Args:
        path: The recording.
        converted: Folder of the FLAC files that they make, once each; None where
            there is none.

    Raises:
        UnusableError: There is no such file, or none can decode it.
    """
    try:
        return open_sound(path)
    except _UnknownFormatError as error:
        if converted is None:
            raise
        target = converted_path(path, converted)
        if not target.is_file():
            error.convert(path, target)
        return open_sound(target)


@contextmanager
def open_any(path: Path) -> Iterator[soundfile.SoundFile]:
    """Open a file as `open_readable`; nothing is kept of what is decoded.

    Raises:
        UnusableError: There is no such file, or none can decode it.
    """
    with (
        TemporaryDirectory(prefix="asrkit-") as folder,
        open_readable(path, Path(folder)) as file,
    ):
        yield file


def describe_failure(path: Path, error: Exception) -> str:
    """Say in a line why a file cannot be read."""
    # libsndfile's messages begin with the path, which is listed already.
    reason = str(error).replace(repr(str(path)), "file").partition("\n")[0]
    if not isinstance(error, soundfile.LibsndfileError | OSError):
        reason = f"{type(error).__name__}: {reason}"
    return f"cannot be decoded: {reason}"
