"""What espeak-ng says, at the rate of the corpora and without the silence around it."""

import math
from dataclasses import dataclass

import numpy as np

from asrkit.data.synthesis import espeak
from asrkit.data.synthesis.espeak import VoiceSettings

SAMPLE_RATE = 16000
"""Hz."""


@dataclass(frozen=True)
class Said:
    """A text spoken, from its first sound to its last."""

    samples: np.ndarray
    """(num_samples,) at `SAMPLE_RATE`."""
    spans: np.ndarray | None
    """Where each word begins and ends, seconds, (num_words, 2); None where espeak-ng
    does not say."""


def say(text: str, voice: VoiceSettings) -> Said:
    """Speak a text in capital letters."""
    # In lower case: espeak-ng spells some words that are all capitals.
    spoken = espeak.speak_timed(text.lower(), voice)
    first, last = _loud(spoken.samples)
    spans = None
    if spoken.words is not None:
        spans = (np.clip(spoken.words, first, last) - first) / espeak.SAMPLE_RATE
    samples = spoken.samples[first:last]
    return Said(resample(samples, espeak.SAMPLE_RATE, SAMPLE_RATE), spans)


def _loud(speech: np.ndarray) -> tuple[int, int]:
    """Return what lies between the silences that espeak-ng puts around a sentence."""
    loud = np.flatnonzero(np.abs(speech) > 1e-3 * np.abs(speech).max())
    return int(loud[0]), int(loud[-1]) + 1


def resample(samples: np.ndarray, rate: int, new_rate: int) -> np.ndarray:
    """Resample by cutting the spectrum; takes samples (N,) to about (N * ratio,)."""
    factor = math.gcd(rate, new_rate)
    # A length that is a whole number of samples at both rates and quick to transform.
    blocks = power_of_two(-(-len(samples) // (rate // factor)) + 1)
    size, new_size = blocks * (rate // factor), blocks * (new_rate // factor)
    spectrum = np.fft.rfft(samples, n=size)[: new_size // 2 + 1]
    resampled = np.fft.irfft(spectrum, n=new_size) * (new_size / size)
    return resampled[: round(len(samples) * new_rate / rate)]


def power_of_two(number: int) -> int:
    """Return the least power of two that is no less."""
    return 1 << (number - 1).bit_length()


def rms(samples: np.ndarray) -> float:
    """Return the root of the mean square."""
    return np.sqrt(np.mean(samples**2))
