"""Noise to speak in."""

from dataclasses import dataclass

import numpy as np

from asrkit.data.synthesis.espeak import VoiceSettings
from asrkit.data.synthesis.speech import SAMPLE_RATE, power_of_two, rms, say


@dataclass(frozen=True, kw_only=True)
class Noise:
    """A noise that is made of nothing but chance."""

    kind: str
    """One of `KINDS`."""
    seed: int

    def draw(self, length: int) -> np.ndarray:
        """Return noise of RMS 1, (length,)."""
        noise = KINDS[self.kind](length, np.random.default_rng(self.seed))
        return noise / rms(noise)


@dataclass(frozen=True, kw_only=True)
class Babble:
    """Others who talk at the same time, each as loud as the others."""

    talkers: tuple[tuple[str, VoiceSettings], ...]
    """What each says over and over, and who it is."""
    seed: int
    """Of where in their text they are at first."""

    def draw(self, length: int) -> np.ndarray:
        """Return noise of RMS 1, (length,)."""
        rng = np.random.default_rng(self.seed)
        noise = np.zeros(length)
        for text, voice in self.talkers:
            noise += _repeat(say(text, voice).samples, length, rng)
        return noise / rms(noise)


def _repeat(speech: np.ndarray, length: int, rng: np.random.Generator) -> np.ndarray:
    speech = np.roll(speech, rng.integers(len(speech)))
    return np.resize(speech / rms(speech), length)


def _white(length: int, rng: np.random.Generator) -> np.ndarray:
    return rng.standard_normal(power_of_two(length))[:length]


def _pink(length: int, rng: np.random.Generator) -> np.ndarray:
    size = power_of_two(length)
    spectrum = np.fft.rfft(rng.standard_normal(size))
    # Power falls with frequency, evenly below 50 Hz.
    frequency = np.fft.rfftfreq(size, 1 / SAMPLE_RATE).clip(min=50)
    return np.fft.irfft(spectrum / np.sqrt(frequency), n=size)[:length]


def _hum(length: int, rng: np.random.Generator) -> np.ndarray:
    """Draw the hum of mains of 50 or 60 Hz, its overtones, and a hundredth of hiss."""
    harmonics = np.arange(1, 16)[:, np.newaxis]
    time = np.arange(length) / SAMPLE_RATE
    turns = rng.choice([50, 60]) * harmonics * time + rng.random(harmonics.shape)
    loudness = rng.random(harmonics.shape) / harmonics
    tones = (loudness * np.sin(2 * np.pi * turns)).sum(axis=0)
    return tones / rms(tones) + 0.1 * rng.standard_normal(length)


KINDS = {"white": _white, "pink": _pink, "hum": _hum}
"""From a length and a source of chance to noise, (length,)."""
