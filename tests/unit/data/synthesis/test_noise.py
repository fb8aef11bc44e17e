"""Noises, by their spectra."""

from itertools import pairwise

import numpy as np
import pytest

from asrkit.data.synthesis import noise as noise_module
from asrkit.data.synthesis.noise import KINDS, Babble, Noise
from asrkit.data.synthesis.speech import Said

SECONDS = 8


def octaves(noise):
    """Return the power of each octave from 125 Hz to 8 kHz, dB."""
    power = np.abs(np.fft.rfft(noise)) ** 2
    edges = [round(125 * 2**n * len(noise) / 16000) for n in range(7)]
    bands = pairwise(edges)
    return 10 * np.log10([power[low:high].sum() for low, high in bands])


@pytest.mark.parametrize("kind", KINDS)
def test_loudness_and_chance(kind):
    noise, again, other = (Noise(kind=kind, seed=n).draw(30000) for n in (0, 0, 1))
    assert noise.shape == (30000,)
    assert np.mean(noise**2) == pytest.approx(1)
    np.testing.assert_array_equal(noise, again)
    assert np.abs(noise - other).max() > 0.1


@pytest.mark.parametrize(("kind", "rise"), [("white", 3.01), ("pink", 0)])
def test_power_by_octave(kind, rise):
    noise = Noise(kind=kind, seed=0).draw(SECONDS * 16000)
    np.testing.assert_allclose(np.diff(octaves(noise)), rise, atol=0.5)


def test_hum_is_of_mains():
    mains = set()
    for seed in range(6):
        power = np.abs(np.fft.rfft(Noise(kind="hum", seed=seed).draw(16000))) ** 2
        multiples = {base: power[base : 16 * base : base].sum() for base in (50, 60)}
        base = max(multiples, key=multiples.get)
        mains.add(base)
        # All but the hiss, a hundredth.
        assert multiples[base] / power.sum() == pytest.approx(0.99, abs=0.003)
    assert mains == {50, 60}


def test_babble_is_all_talkers_at_once(monkeypatch):
    """Each is as loud, says its text over and over, and begins somewhere in it."""
    rng = np.random.default_rng(0)
    speech = {name: rng.standard_normal(1500) * loud for name, loud in
              (("A", 1), ("B", 20), ("C", 0.1))}  # fmt: skip
    monkeypatch.setattr(
        noise_module, "say", lambda text, voice: Said(speech[text], None)
    )
    babble = Babble(talkers=tuple((name, None) for name in speech), seed=0)
    noise = babble.draw(4000)
    assert np.mean(noise**2) == pytest.approx(1)
    left = noise
    begins = set()
    for samples in speech.values():
        turns = [np.resize(np.roll(samples, n), 4000) for n in range(1500)]
        fits = np.stack(turns) @ noise / np.sum(turns[0] ** 2)
        begins.add(int(fits.argmax()))
        loudness = fits.max() * samples.std()
        assert loudness == pytest.approx(3**-0.5, rel=0.15)
        left = left - turns[fits.argmax()] * 3**-0.5 / samples.std()
    assert left.std() < 0.1
    assert len(begins) == 3
    np.testing.assert_array_equal(babble.draw(4000), noise)
