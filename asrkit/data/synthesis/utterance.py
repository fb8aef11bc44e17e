"""One utterance of a demo corpus: speech in a room, at a level, in some noise."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from asrkit.data.corpora.word_times import TimedWord
from asrkit.data.synthesis.espeak import VoiceSettings
from asrkit.data.synthesis.noise import Babble, Noise
from asrkit.data.synthesis.room import Room
from asrkit.data.synthesis.speech import SAMPLE_RATE, Said, rms, say


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
    lead: float
    """Silence before the first sound, seconds."""
    trail: float
    """Silence after the last sound, seconds."""
    noise: Noise | Babble
    room: Room | None
    """None: there is no echo."""


def render(
    utterance: SpokenUtterance,
) -> tuple[np.ndarray, list[TimedWord] | None]:
    """Speak an utterance and add its room and noise.

    Level and SNR are those of the speech as it is heard in the room, from its first
    sound to its last; what clips is made softer, noise and all.

    Returns:
        Samples (num_samples,), float32, and when each word is spoken, to 10 ms or so:
        when its sound comes straight from the mouth, whatever the room makes of it;
        None for the words where espeak-ng does not say.
    """
    said = say(utterance.text, utterance.voice)
    pads = round(utterance.lead * SAMPLE_RATE), round(utterance.trail * SAMPLE_RATE)
    speech = np.pad(said.samples, pads)
    if utterance.room is not None:
        speech = utterance.room.reverberate(speech)
    spoken = slice(pads[0], len(speech) - pads[1])
    gain = 10 ** (utterance.level / 20) / rms(speech[spoken])
    speech *= min(gain, 0.9 / np.abs(speech).max())
    noise = utterance.noise.draw(len(speech))
    noise *= rms(speech[spoken]) / 10 ** (utterance.snr / 20)
    heard = speech + noise
    heard *= min(1, 0.98 / np.abs(heard).max())
    return heard.astype(np.float32), _words(utterance, said)


def _words(utterance: SpokenUtterance, said: Said) -> list[TimedWord] | None:
    """Return the words' times in the utterance."""
    if said.spans is None:
        return None
    times = (utterance.lead + said.spans).tolist()
    return [
        TimedWord(word, start, end)
        for word, (start, end) in zip(utterance.text.split(), times, strict=True)
    ]
