"""What is said in a corpus, by whom and where: all that is left to chance."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from asrkit.data.synthesis.espeak import VoiceSettings
from asrkit.data.synthesis.layout import LIBRISPEECH, Layout
from asrkit.data.synthesis.noise import Babble, Noise
from asrkit.data.synthesis.room import Rooms
from asrkit.data.synthesis.utterance import SpokenUtterance

BABBLE = "babble"
"""The noise of other voices of the part; the others are in `noise.KINDS`."""
_TALKERS = 4

_Voice = tuple[str, str]  # accent, variant


@dataclass(frozen=True, kw_only=True)
class Share:
    """The variants that a part takes away from all others."""

    female: int
    male: int
    voices: int
    """Where there are more than variants, these speak again with other accents."""


@dataclass(frozen=True, kw_only=True)
class Spec:
    """A corpus; ranges are drawn from evenly, for each utterance."""

    version: int | str
    """What to change when the same numbers come to mean other files."""
    seed: int = 0
    """Of sentences, voices, rooms and noise."""
    utterances: Mapping[str, int]
    """By part."""
    sentences: Callable[[Sequence[int], random.Random], list[list[str]]]
    """Draws lists of so many each, no sentence twice; the first lists do not depend on
    later counts."""
    accents: Sequence[str]
    female: str
    """Variants, each in one part."""
    male: str
    shares: Mapping[str, Share]
    """By part; each stays the same when there are more utterances in the next."""
    rate: tuple[int, int]
    """Words a minute."""
    pitch: tuple[int, int]
    pitch_range: tuple[int, int]
    snr: tuple[float, float]
    """Speech over noise, dB."""
    noises: Sequence[str]
    """Kinds, drawn from evenly: `noise.KINDS` and `BABBLE`."""
    rooms: Rooms | None = None
    """None: there is no echo."""
    layout: Layout = LIBRISPEECH
    """Where its files go."""


def draw_plan(folder: Path, spec: Spec) -> list[SpokenUtterance]:
    """Draw a corpus; the utterances of a voice stand together."""
    rng = random.Random(spec.seed)
    voices = _draw_voices(spec, rng)
    plan = []
    counts = [spec.utterances[part] for part in spec.shares]
    lists = spec.sentences(counts, rng)
    speaker = 0
    for part, texts in zip(spec.shares, lists, strict=True):
        draw = _Draw(spec, voices[part], texts, random.Random(f"{spec.seed} {part}"))
        for number, voice in enumerate(voices[part]):
            speaker += 1
            for index, text in enumerate(texts[number :: len(voices[part])]):
                path = folder / spec.layout.recording(part, speaker, index)
                plan.append(draw.utterance(path, text, voice))
    return plan


def _draw_voices(spec: Spec, rng: random.Random) -> dict[str, list[_Voice]]:
    """Draw for each part its voices; no variant is in two parts."""
    female, male = spec.female.split(), spec.male.split()
    rng.shuffle(female)
    rng.shuffle(male)
    voices = {}
    for part, share in spec.shares.items():
        women = [female.pop() for _ in range(share.female)]
        variants = women + [male.pop() for _ in range(share.male)]
        offset = rng.randrange(len(spec.accents))
        # One accent further every time round, lest a voice comes twice; the women come
        # round first, of whom espeak-ng has fewer.
        rounds = (divmod(n, len(variants)) for n in range(share.voices))
        voices[part] = [
            (spec.accents[(offset + n + times) % len(spec.accents)], variants[n])
            for times, n in rounds
        ]
    return voices


@dataclass(frozen=True)
class _Draw:
    """Draws the utterances of a part."""

    spec: Spec
    voices: list[_Voice]
    texts: list[str]
    rng: random.Random

    def utterance(self, path: Path, text: str, voice: _Voice) -> SpokenUtterance:
        spec, rng = self.spec, self.rng
        settings = self._settings(voice)
        level, snr = rng.uniform(-30, -20), rng.uniform(*spec.snr)
        kind = spec.noises[int(rng.random() * len(spec.noises))]
        lead, trail = rng.uniform(0.05, 0.2), rng.uniform(0.05, 0.2)
        seed = rng.getrandbits(32)
        return SpokenUtterance(
            path=path,
            text=text,
            voice=settings,
            level=level,
            snr=snr,
            lead=lead,
            trail=trail,
            noise=(
                Babble(talkers=self._talkers(text, voice), seed=seed)
                if kind == BABBLE
                else Noise(kind=kind, seed=seed)
            ),
            room=None if spec.rooms is None else spec.rooms.draw(rng),
        )

    def _settings(self, voice: _Voice) -> VoiceSettings:
        accent, variant = voice
        return VoiceSettings(
            accent=accent,
            variant=variant,
            rate=self.rng.randint(*self.spec.rate),
            pitch=self.rng.randint(*self.spec.pitch),
            pitch_range=self.rng.randint(*self.spec.pitch_range),
            word_gap=self.rng.choice((0, 0, 0, 1, 2)),
        )

    def _talkers(
        self, text: str, voice: _Voice
    ) -> tuple[tuple[str, VoiceSettings], ...]:
        """Draw others of the part, who say other sentences of it."""
        texts = self.rng.sample([one for one in self.texts if one != text], _TALKERS)
        voices = self.rng.sample([v for v in self.voices if v != voice], _TALKERS)
        return tuple(
            (said, self._settings(who)) for said, who in zip(texts, voices, strict=True)
        )
