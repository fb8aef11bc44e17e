"""How a call sounds at the other end of the line, and when who speaks."""

from dataclasses import dataclass

import numpy as np

from asrkit.data.synthesis.noise import Noise
from asrkit.data.synthesis.speech import SAMPLE_RATE, power_of_two, resample, rms, say
from asrkit.data.synthesis.telephone.calls import Call, Turn

RATE = 8000
"""Hz of a telephone."""
_BAND = (300.0, 3400.0)
_BURST = 0.25
"""Seconds of a noise that is marked."""
_EDGE = 1.0
"""Seconds before the first turn, give or take its pause, and behind the last."""


@dataclass(frozen=True)
class Heard:
    """A turn in a recording."""

    turn: Turn
    start: float
    """Seconds; a little before the first sound, as a transcriber sets it."""
    end: float


def render(call: Call) -> tuple[np.ndarray, list[Heard]]:
    """Speak a call.

    Returns:
        Samples (S, 2) at `RATE`, a speaker a channel, and the turns in their order.
    """
    placed, heard = [], []
    ended = _EDGE
    for turn in call.turns:
        samples = _say(turn)
        lead, trail = turn.spoken.lead, turn.spoken.trail
        start = ended + turn.pause
        ended = start + len(samples) / SAMPLE_RATE
        placed.append((turn.side, round(start * SAMPLE_RATE), samples))
        heard.append(Heard(turn, start - lead, ended + trail))
    length = round((ended + _EDGE) * SAMPLE_RATE)
    sides = np.zeros((2, length))
    for side, first, samples in placed:
        sides[side, first : first + len(samples)] += samples
    rendered = [_transmit(one, call, side) for side, one in enumerate(sides)]
    return np.stack(rendered, axis=1), heard


def _say(turn: Turn) -> np.ndarray:
    """Return a turn at its level, a noise behind it where it has one, (N,)."""
    text = " ".join(piece.spoken for piece in turn.pieces if piece.spoken)
    speech = say(text, turn.spoken.voice).samples
    level = 10 ** (turn.spoken.level / 20)
    speech *= level / rms(speech)
    if not turn.noise:
        return speech
    burst = turn.spoken.noise.draw(round(_BURST * SAMPLE_RATE))
    burst *= level * np.hanning(len(burst))
    return np.concatenate([speech, burst])


def _transmit(side: np.ndarray, call: Call, number: int) -> np.ndarray:
    """Return a channel as the line passes it on, noise and all, (S,) at `RATE`."""
    spoken = side[side != 0]
    noise = Noise(kind="pink", seed=_seed(call, number)).draw(len(side))
    heard = pass_band(side + noise * rms(spoken) / 10 ** (call.snr / 20))
    heard = resample(heard, SAMPLE_RATE, RATE)
    return heard * min(1, 0.98 / np.abs(heard).max())


def _seed(call: Call, side: int) -> int:
    return 2 * int(call.name[-4:]) + side


def pass_band(samples: np.ndarray) -> np.ndarray:
    """Keep 300 to 3400 Hz, as Butterworth's filters of orders 4 and 16 do; (N,)."""
    size = power_of_two(len(samples))
    frequency = np.fft.rfftfreq(size, 1 / SAMPLE_RATE).clip(min=1)
    low, high = _BAND
    gain = 1 / np.sqrt((1 + (low / frequency) ** 8) * (1 + (frequency / high) ** 32))
    return np.fft.irfft(np.fft.rfft(samples, n=size) * gain, n=size)[: len(samples)]
