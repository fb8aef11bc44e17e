"""Reading recordings, with soundfile or what comes with Python."""

import wave
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from asrkit.utils.errors import InputError


def read_wave(path: Path | str) -> tuple[np.ndarray, int]:
    """Read a recording of one channel.

    Without soundfile only WAV files of 16 bits can be read.

    Returns:
        Samples in [-1, 1], (S,), float32, and their rate in Hz.

    Raises:
        InputError: It cannot be read, or has several channels.
    """
    path = Path(path)
    if not path.is_file():
        reason = "a folder, no recording" if path.is_dir() else "no such file"
        raise InputError(f"{path}: {reason}")
    read = _read_any if find_spec("soundfile") else _read_16_bits
    samples, rate = read(path)
    if samples.shape[1] != 1:
        raise InputError(
            f"{path} has {samples.shape[1]} channels; take one or mix them, e.g. "
            "sox IN.wav OUT.wav remix -"
        )
    return samples[:, 0], rate


def _read_any(path: Path) -> tuple[np.ndarray, int]:
    import soundfile

    try:
        return soundfile.read(path, dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, TypeError) as error:
        raise InputError(f"{path} cannot be decoded: {error}") from error


def _read_16_bits(path: Path) -> tuple[np.ndarray, int]:
    try:
        with wave.open(str(path)) as file:
            width, channels = file.getsampwidth(), file.getnchannels()
            rate, content = file.getframerate(), file.readframes(file.getnframes())
    except (wave.Error, EOFError) as error:
        raise InputError(
            f"{path} cannot be decoded: {error}; pip install soundfile for other "
            "formats than WAV"
        ) from error
    if width != 2:
        raise InputError(
            f"{path} has {8 * width} bits a sample; pip install soundfile for others "
            "than 16"
        )
    samples = np.frombuffer(content, dtype="<i2").astype(np.float32) / 32768
    return samples.reshape(-1, channels), rate
