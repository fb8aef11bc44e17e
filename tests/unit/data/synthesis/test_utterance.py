"""What an utterance is made of, measured in what is heard."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from asrkit.data.synthesis import espeak
from asrkit.data.synthesis import noise as noise_module
from asrkit.data.synthesis import speech as speech_module
from asrkit.data.synthesis.espeak import Speech, VoiceSettings
from asrkit.data.synthesis.noise import KINDS, Babble, Noise
from asrkit.data.synthesis.room import Room
from asrkit.data.synthesis.speech import SAMPLE_RATE, Said
from asrkit.data.synthesis.utterance import SpokenUtterance, render

RATE = espeak.SAMPLE_RATE
SILENT = 300.0
"""A ratio of speech to noise, dB, at which there is none."""
VOICE = VoiceSettings(accent="en-US", variant="m3")
UTTERANCE = SpokenUtterance(
    path=Path("A.flac"),
    text="A B",
    voice=VOICE,
    level=-20.0,
    snr=30.0,
    lead=0.5,
    trail=0.25,
    noise=Noise(kind="white", seed=0),
    room=None,
)
ROOM = Room(decay=0.4, direct=0.0, seed=3)


@pytest.fixture
def say_tone(monkeypatch):
    """In place of speech, a tone of two seconds between silences."""
    time = np.arange(2 * RATE) / RATE
    tone = np.sin(2 * np.pi * 1000 * time).astype(np.float32)
    silence = np.zeros(5000, dtype=np.float32)
    said = Speech(
        np.concatenate([silence, tone, silence]),
        # The first word begins in the silence, the last one ends in the other.
        [(4000, 5000 + 22050), (5000 + 33075, 5000 + 44100 + 2000)],
    )
    monkeypatch.setattr(espeak, "speak_timed", lambda text, voice: said)


@pytest.mark.parametrize("kind", ["white", "pink"])
def test_render(say_tone, kind):
    """A tone in place of speech comes out at its pitch, level and noise."""
    samples, words = render(replace(UTTERANCE, noise=Noise(kind=kind, seed=0)))
    assert [word.text for word in words] == ["A", "B"]
    times = [time for word in words for time in (word.start, word.end)]
    assert times == pytest.approx([0.5, 1.5, 2.0, 2.5], abs=1e-4)
    assert len(samples) == pytest.approx(2.75 * SAMPLE_RATE, abs=50)
    noise, speech = samples[:7900], samples[8100:39900]
    assert speech.std() == pytest.approx(0.1, rel=0.01)
    assert 20 * np.log10(speech.std() / noise.std()) == pytest.approx(30, abs=1)
    spectrum = np.abs(np.fft.rfft(speech))
    assert spectrum.argmax() / len(speech) * SAMPLE_RATE == pytest.approx(1000, abs=1)


@pytest.fixture
def say_bursts(monkeypatch):
    """In place of speech, noises: the words are from 0 to 0.3 and from 0.6 to 1 s."""
    shape = np.zeros(16000)
    shape[:4800] = shape[9600:] = 1

    def say(text, voice):
        seed = sum(text.encode())
        noise = np.random.default_rng(seed).standard_normal(16000)
        return Said(shape * noise, np.array([[0, 0.3], [0.6, 1]]))

    for module in (speech_module, noise_module):
        monkeypatch.setattr(module, "say", say)
    monkeypatch.setattr("asrkit.data.synthesis.utterance.say", say)


NOISES = [
    *(Noise(kind=kind, seed=1) for kind in KINDS),
    Babble(talkers=(("C", VOICE), ("D", VOICE)), seed=1),
]


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("room", [None, ROOM])
@pytest.mark.parametrize("snr", [5.0, 25.0])
def test_speech_over_noise(say_bursts, noise, room, snr):
    """As asked for, by what remains when the same is said in silence."""
    utterance = replace(UTTERANCE, noise=noise, room=room, snr=snr, level=-30.0)
    noisy, _ = render(utterance)
    clean, _ = render(replace(utterance, snr=SILENT))
    spoken = clean[8000:24000]
    assert 20 * np.log10(np.sqrt(np.mean(spoken**2))) == pytest.approx(-30, abs=0.01)
    # Before anything is said, in a room as well, there is nothing but noise.
    assert np.abs(clean[:8000]).max() < 1e-6
    ratio = np.mean(spoken**2) / np.mean((noisy - clean) ** 2)
    assert 10 * np.log10(ratio) == pytest.approx(snr, abs=0.01)


def test_what_clips_is_made_softer_noise_and_all(say_bursts):
    loud = replace(UTTERANCE, level=-5.0, snr=0.0)
    heard, _ = render(loud)
    softer, _ = render(replace(loud, level=-25.0))
    assert np.abs(heard).max() == pytest.approx(0.98)
    np.testing.assert_allclose(heard / heard.std(), softer / softer.std(), atol=1e-5)


def test_a_room_does_not_shift_words(say_bursts):
    """They begin and end where the sound that comes straight from the mouth does."""
    utterance = replace(UTTERANCE, snr=SILENT)
    (dry, words), (wet, in_room) = (
        render(replace(utterance, room=room)) for room in (None, ROOM)
    )
    assert in_room == words
    assert len(wet) == len(dry)
    assert np.correlate(wet, dry, mode="full").argmax() == len(dry) - 1
    for word in in_room:
        before, after = (
            wet[round((word.start + shift) * 16000) :][:80].std()
            for shift in (-0.005, 0)
        )
        assert after > 3 * before
    # The echo goes on behind a word.
    end = round(words[-1].end * 16000)
    assert wet[end : end + 800].std() > 0.1 * wet.std()
    assert dry[end : end + 800].std() < 1e-6
