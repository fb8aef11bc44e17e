"""Telephone calls: two voices of a part that take turns, and what disturbs them."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from asrkit.data.synthesis.plan import Spec, draw_plan
from asrkit.data.synthesis.telephone.marks import Piece, mark
from asrkit.data.synthesis.utterance import SpokenUtterance

NOISES = ("[noise]", "[laughter]", "[vocalized-noise]")


@dataclass(frozen=True, kw_only=True)
class DialogueSpec:
    """A corpus of calls."""

    spoken: Spec
    """Voices, sentences and noise; neighbouring voices of a part call each other."""
    names: Mapping[str, tuple[str, int]]
    """By part: what the names of its calls begin with, and the first one's number."""
    louder_noise: Mapping[str, float]
    """By part: dB that its SNR is below that of `spoken`."""
    marks: Mapping[str, float]
    """Shares for `marks.mark`; `noise`: of the turns that end with one."""
    pause: tuple[float, float]
    """From one's last sound to the other's first, seconds; below 0 they overlap."""


@dataclass(frozen=True, kw_only=True)
class Turn:
    """What one says until the other does."""

    side: int
    """0 is A, 1 is B."""
    spoken: SpokenUtterance
    """Its text is replaced by that of the pieces."""
    pieces: tuple[Piece, ...]
    noise: str
    """One of `NOISES`, heard behind the last word; or empty."""
    pause: float
    """Seconds since the other's last sound; below 0 they overlap."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """A recording."""

    part: str
    name: str
    """Such as sw_4390."""
    women: tuple[bool, bool]
    snr: float
    """Speech over noise, dB."""
    turns: tuple[Turn, ...]

    def __len__(self) -> int:
        return len(self.turns)


def draw_calls(spec: DialogueSpec) -> Iterator[Call]:
    """Draw a corpus; the calls of a part stand together."""
    female = set(spec.spoken.female.split())
    numbers = {part: first for part, (_, first) in spec.names.items()}
    for part, voices in _by_voice(spec.spoken):
        rng = random.Random(f"{spec.spoken.seed} calls of {part}")
        for pair in zip(voices[::2], voices[1::2], strict=True):
            prefix = spec.names[part][0]
            turns = tuple(_turns(pair, rng, spec))
            women = tuple(one[0].voice.variant in female for one in pair)
            yield Call(
                part=part,
                name=f"{prefix}{numbers[part]}",
                women=(women[0], women[1]),
                snr=turns[0].spoken.snr - spec.louder_noise.get(part, 0.0),
                turns=turns,
            )
            numbers[part] += 1


def _by_voice(spec: Spec) -> Iterator[tuple[str, list[list[SpokenUtterance]]]]:
    """Yield each part's utterances, a list a voice."""
    plan = draw_plan(Path(), spec)
    for part, utterances in groupby(plan, lambda one: one.path.parts[0]):
        voices = groupby(utterances, lambda one: one.path.parent)
        yield part, [list(those) for _, those in voices]


def _turns(
    pair: tuple[list[SpokenUtterance], list[SpokenUtterance]],
    rng: random.Random,
    spec: DialogueSpec,
) -> Iterator[Turn]:
    for number in range(max(map(len, pair))):
        for side, utterances in enumerate(pair):
            if number < len(utterances):
                spoken = utterances[number]
                noisy = rng.random() < spec.marks["noise"]
                yield Turn(
                    side=side,
                    spoken=spoken,
                    pieces=mark(spoken.text, rng, spec.marks),
                    noise=rng.choice(NOISES) if noisy else "",
                    pause=rng.uniform(*spec.pause),
                )
