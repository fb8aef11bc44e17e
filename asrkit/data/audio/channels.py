"""What is heard of a recording of several channels: one rule, wherever audio is read.

A channel that an utterance names is taken. Where it names none, the mean of all
channels is: whatever is said on any of them is heard, and a silent one costs but level.
"""

import numpy as np

SILENT_PEAK = 1e-3
"""Audio whose largest magnitude is smaller is silent; 1 is full scale."""


def mix_down(samples: np.ndarray) -> np.ndarray:
    """Return the mean of the channels that an utterance has.

    Args:
        samples: (C, S), float32.

    Returns:
        (S,), float32.
    """
    return samples[0] if len(samples) == 1 else samples.mean(axis=0)


def silent_channels(peaks: np.ndarray) -> list[int]:
    """Return which of several channels are silent, by their largest magnitudes (C,)."""
    return np.flatnonzero(peaks < SILENT_PEAK).tolist()
