"""What can be recognized: samples of one channel at the model's rate."""

import numpy as np

from asrkit.utils.errors import InputError

_LOUDEST = 32.0  # a float recording passes 1 now and then, but never so far


def check_samples(samples: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    """Return samples (S,) as float32.

    Args:
        samples: In [-1, 1].
        rate: Their rate in Hz.
        wanted: The model's.

    Raises:
        InputError: They are of another rate, of several channels, whole numbers, too
            few for a frame, or not numbers at all.
    """
    samples = np.asarray(samples)
    check_packet(samples, rate, wanted)
    if len(samples) < wanted // 100:
        raise InputError(f"a recording of {len(samples)} samples has no frame of 10 ms")
    return samples.astype(np.float32)


def check_packet(samples: np.ndarray, rate: int, wanted: int) -> None:
    """Do the same for a part of a stream, which may be of any length."""
    if rate != wanted:
        raise InputError(
            f"the recording's rate is {rate} Hz, the model hears {wanted} Hz; resample "
            f"it, e.g. sox IN.wav -r {wanted} OUT.wav"
        )
    if samples.ndim != 1:
        raise InputError(
            f"samples have the shape {samples.shape}: one channel is wanted, (S,)"
        )
    if not np.issubdtype(samples.dtype, np.floating):
        raise InputError(
            f"samples are {samples.dtype}; divide those of 16 bits by 32768.0: they "
            "have to lie in -1 to 1"
        )
    loudest = np.abs(samples).max(initial=0.0)
    if not loudest <= _LOUDEST:
        raise InputError(
            f"a sample is {loudest:g}: they have to lie in -1 to 1; divide those of 16 "
            "bits by 32768.0"
        )
