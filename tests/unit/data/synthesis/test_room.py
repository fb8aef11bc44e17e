"""Rooms, measured as acousticians do."""

import random
from dataclasses import replace

import numpy as np
import pytest

from asrkit.data.synthesis.room import Room, Rooms


def measured_decay(response):
    """Return RT60 by Schroeder's backward integration, from -5 to -25 dB."""
    left = np.cumsum(response[::-1] ** 2)[::-1]
    level = 10 * np.log10(left / left[0])
    fitted = np.flatnonzero((level < -5) & (level > -25))
    slope, _ = np.polyfit(fitted / 16000, level[fitted], 1)
    return -60 / slope


@pytest.mark.parametrize("decay", [0.1, 0.3, 0.5])
@pytest.mark.parametrize("direct", [0.0, 12.0])
def test_decay_and_direct_sound(decay, direct):
    rooms = [Room(decay=decay, direct=direct, seed=seed) for seed in range(40)]
    decays = []
    for response in (room.response() for room in rooms):
        assert response[0] == 1
        assert np.abs(response).argmax() == 0
        late = response[1:]
        assert -10 * np.log10(np.sum(late**2)) == pytest.approx(direct, abs=1e-6)
        # The direct sound is 70 cm nearer than any wall's.
        assert np.abs(late[:30]).max() == 0
        decays.append(measured_decay(late))
    # By the law of large numbers; one room alone varies by its few early reflections.
    assert np.mean(decays) == pytest.approx(decay, rel=0.1)


def test_reflections_come_more_and_more_densely():
    """4 pi c^3 t^2 / V a second, V = 50 m^3, c = 343 m/s, up to one a sample."""
    room = Room(decay=0.5, direct=0.0, seed=0)
    there = [replace(room, seed=seed).response() != 0 for seed in range(200)]
    rate = np.mean(there, axis=0) * 16000
    time = np.arange(len(rate)) / 16000
    for start, end in ((0.002, 0.01), (0.01, 0.02), (0.02, 0.038)):
        part = (time >= start) & (time < end)
        expected = 4 * np.pi * 343**3 * time[part] ** 2 / 50
        assert rate[part].mean() == pytest.approx(expected.mean(), rel=0.1)
    assert rate[time > 0.041].min() == 16000


def test_reverberation_is_a_convolution_that_delays_nothing():
    room = Room(decay=0.2, direct=3.0, seed=1)
    speech = np.random.default_rng(0).standard_normal(5000)
    heard = room.reverberate(speech)
    np.testing.assert_allclose(
        heard, np.convolve(speech, room.response())[:5000], atol=1e-9
    )
    lags = np.correlate(heard, speech, mode="full")
    assert lags.argmax() == len(speech) - 1


def test_rooms_are_drawn_from_their_ranges():
    rooms = Rooms(decay=(0.1, 0.5), direct=(0, 12))
    rng = random.Random(0)
    drawn = [rooms.draw(rng) for _ in range(300)]
    for values, low, high in (
        ([room.decay for room in drawn], 0.1, 0.5),
        ([room.direct for room in drawn], 0, 12),
    ):
        assert low <= min(values) < low + (high - low) / 50
        assert high - (high - low) / 50 < max(values) <= high
    assert len({room.seed for room in drawn}) == 300
    one, other = (room.response() for room in drawn[:2])
    assert one.shape != other.shape
