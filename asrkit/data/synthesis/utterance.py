"""One utterance of the demo corpus: speech at a level, in silence with some noise."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from asrkit.data.corpora.word_times import TimedWord
from asrkit.data.synthesis import espeak
from asrkit.data.synthesis.espeak import Speech, VoiceSettings

SAMPLE_RATE = 16000
"""Hz."""


@dataclass(frozen=True, kw_only=True)
class SpokenUtterance:
    """What is said, and how it sounds."""

    path: Path
    text: str
    voice: VoiceSettings
    level: float
    """RMS of the speech, dB below full scale (negative)."""
    snr: float
    """Speech over noise, dB."""
    pink: bool
    lead: float
    """Silence before the first sound, seconds."""
    trail: float
    """Silence after the last sound, seconds."""
    noise_seed: int


def render(
    utterance: SpokenUtterance,
) -> tuple[np.ndarray, list[TimedWord] | None]:
    """Speak an utterance and add its noise.

    Returns:
        Samples (num_samples,), float32, and when each word is spoken, to 10 ms or so;
        None for the words where espeak-ng does not say.
    """
    # In lower case: espeak-ng spells some words that are all capitals.
    spoken = espeak.speak_timed(utterance.text.lower(), utterance.voice)
    first, last = _loud(spoken.samples)
    words = _words(utterance, spoken, first, last)
    speech = _resample(spoken.samples[first:last], espeak.SAMPLE_RATE, SAMPLE_RATE)
    rms = 10 ** (utterance.level / 20)
    speech *= min(rms / np.sqrt(np.mean(speech**2)), 0.9 / np.abs(speech).max())
    pads = round(utterance.lead * SAMPLE_RATE), round(utterance.trail * SAMPLE_RATE)
    noise = _noise(len(speech) + sum(pads), utterance)
    noise *= np.sqrt(np.mean(speech**2)) / 10 ** (utterance.snr / 20)
    return (np.pad(speech, pads) + noise).astype(np.float32), words


def _loud(speech: np.ndarray) -> tuple[int, int]:
    """Return what lies between the silences that espeak-ng puts around a sentence."""
    loud = np.flatnonzero(np.abs(speech) > 1e-3 * np.abs(speech).max())
    return int(loud[0]), int(loud[-1]) + 1


def _words(
    utterance: SpokenUtterance, spoken: Speech, first: int, last: int
) -> list[TimedWord] | None:
    """Return the words' times in the utterance, of whose speech a part is kept."""
    if spoken.words is None:
        return None
    spans = np.clip(spoken.words, first, last) - first
    times = (utterance.lead + spans / espeak.SAMPLE_RATE).tolist()
    return [
        TimedWord(word, start, end)
        for word, (start, end) in zip(utterance.text.split(), times, strict=True)
    ]


def _resample(samples: np.ndarray, rate: int, new_rate: int) -> np.ndarray:
    """Resample by cutting the spectrum; takes samples (N,) to about (N * ratio,)."""
    factor = math.gcd(rate, new_rate)
    # A length that is a whole number of samples at both rates and quick to transform.
    blocks = _power_of_two(-(-len(samples) // (rate // factor)) + 1)
    size, new_size = blocks * (rate // factor), blocks * (new_rate // factor)
    spectrum = np.fft.rfft(samples, n=size)[: new_size // 2 + 1]
    resampled = np.fft.irfft(spectrum, n=new_size) * (new_size / size)
    return resampled[: round(len(samples) * new_rate / rate)]


def _noise(length: int, utterance: SpokenUtterance) -> np.ndarray:
    """Draw white or pink noise of RMS 1, (length,)."""
    size = _power_of_two(length)
    noise = np.random.default_rng(utterance.noise_seed).standard_normal(size)
    if utterance.pink:
        spectrum = np.fft.rfft(noise)
        # Power falls with frequency, evenly below 50 Hz.
        frequency = np.fft.rfftfreq(size, 1 / SAMPLE_RATE).clip(min=50)
        noise = np.fft.irfft(spectrum / np.sqrt(frequency), n=size)
    noise = noise[:length]
    return noise / np.sqrt(np.mean(noise**2))


def _power_of_two(number: int) -> int:
    return 1 << (number - 1).bit_length()
