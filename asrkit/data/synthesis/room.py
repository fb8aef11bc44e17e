"""Rooms that speech is heard in, by their impulse responses."""

import math
import random
from dataclasses import dataclass

import numpy as np

from asrkit.data.synthesis.speech import SAMPLE_RATE, power_of_two

# Reflections arrive more and more densely, 4 pi c^3 t^2 / V of them a second (Kuttruff,
# Room Acoustics, chapter 4): in a room of 50 cubic metres one a sample from here on.
_DENSE = 0.04
_FIRST = 0.002
"""Seconds after the direct sound: a reflection has 70 cm more to go."""


@dataclass(frozen=True, kw_only=True)
class Room:
    """How long and how loud a room sounds."""

    decay: float
    """Reverberation time RT60, in which reflections fall by 60 dB, seconds."""
    direct: float
    """Energy of the direct sound over that of all reflections, dB."""
    seed: int
    """Of the reflections."""

    def response(self) -> np.ndarray:
        """Return the impulse response at `SAMPLE_RATE`, (about decay * rate,).

        Its first sample is the direct sound, of amplitude 1: nothing is delayed. The
        reflections decay exponentially (Polack, 1988), each a normal deviate; they come
        by chance, and the fewer there are, the stronger is each.
        """
        rng = np.random.default_rng(self.seed)
        time = np.arange(round(self.decay * SAMPLE_RATE)) / SAMPLE_RATE
        density = np.minimum(1, (time / _DENSE) ** 2)
        there = (rng.random(len(time)) < density) & (time >= _FIRST)
        decay = np.exp(-3 * math.log(10) * time / self.decay)
        waves = rng.standard_normal(len(time)) * decay
        response = np.where(there, waves / np.sqrt(density.clip(min=1e-9)), 0)
        response /= np.sqrt(np.sum(response**2)) * 10 ** (self.direct / 20)
        response[0] = 1
        return response

    def reverberate(self, samples: np.ndarray) -> np.ndarray:
        """Return how samples (N,) sound in the room, (N,): what comes later is cut."""
        response = self.response()
        size = power_of_two(len(samples) + len(response))
        spectrum = np.fft.rfft(samples, n=size) * np.fft.rfft(response, n=size)
        return np.fft.irfft(spectrum, n=size)[: len(samples)]


@dataclass(frozen=True, kw_only=True)
class Rooms:
    """Which rooms there are: ranges of what `Room` has."""

    decay: tuple[float, float]
    direct: tuple[float, float]

    def draw(self, rng: random.Random) -> Room:
        """Draw a room, evenly."""
        return Room(
            decay=rng.uniform(*self.decay),
            direct=rng.uniform(*self.direct),
            seed=rng.getrandbits(32),
        )
