"""What is drawn for a corpus."""

import hashlib
from collections import defaultdict
from dataclasses import astuple, replace
from itertools import combinations

import pytest

pytest.importorskip("espeakng_loader")  # says how Mandarin names sound

from asrkit.data.synthesis.noise import Babble
from asrkit.data.synthesis.plan import draw_plan
from asrkit.data.synthesis.specs import DEMO, DEMO_HARD, MANDARIN

SPECS = {"demo": DEMO, "demo_hard": DEMO_HARD, "mandarin": MANDARIN}
VOICES = {
    "demo": {"train": 40, "dev": 8, "test": 8},
    "demo_hard": {"train": 111, "dev": 20, "test": 24},
    "mandarin": {"train": 24, "dev": 8, "test": 8},
}


def part_and_speaker(path):
    """Tell them by the folders that a recording is in."""
    folders = list(path.parts)
    at = next(n for n, name in enumerate(folders) if name in ("train", "dev", "test"))
    return folders[at : at + 2]


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("name", SPECS)
def test_parts_share_nothing(tmp_path, name, seed):
    shared = defaultdict(lambda: defaultdict(set))
    voice_of = {}
    spec = replace(SPECS[name], seed=seed)
    for item in draw_plan(tmp_path, spec):
        part, speaker = part_and_speaker(item.path.relative_to(tmp_path))
        voice = (item.voice.accent, item.voice.variant)
        assert voice_of.setdefault(speaker, voice) == voice
        for what, value in (
            ("variant", item.voice.variant),
            ("speaker", speaker),
            ("text", item.text),
        ):
            shared[what][part].add(value)
    for parts in shared.values():
        for one, other in combinations(parts.values(), 2):
            assert not one & other
    sizes = {part: len(texts) for part, texts in shared["text"].items()}
    assert sizes == spec.utterances
    voices = {part: len(speakers) for part, speakers in shared["speaker"].items()}
    assert voices == VOICES[name]
    assert len(set(voice_of.values())) == len(voice_of)


def test_who_babbles_is_of_the_part_and_says_something_else(tmp_path):
    plan = draw_plan(tmp_path, DEMO_HARD)
    variants, texts = defaultdict(set), defaultdict(set)
    for item in plan:
        part, _ = part_and_speaker(item.path.relative_to(tmp_path))
        variants[part].add(item.voice.variant)
        texts[part].add(item.text)
    babbling = [item for item in plan if isinstance(item.noise, Babble)]
    assert len(babbling) / len(plan) == pytest.approx(0.25, abs=0.05)
    for item in babbling:
        part, _ = part_and_speaker(item.path.relative_to(tmp_path))
        assert len(set(item.noise.talkers)) == 4
        for text, voice in item.noise.talkers:
            assert text in texts[part] - {item.text}
            assert voice.variant in variants[part]
            speaker = (voice.accent, voice.variant)
            assert speaker != (item.voice.accent, item.voice.variant)


def test_ranges_are_kept_and_used(tmp_path):
    plan = draw_plan(tmp_path, DEMO_HARD)
    rooms = [item.room for item in plan]
    for values, (low, high) in (
        ([item.snr for item in plan], DEMO_HARD.snr),
        ([item.voice.rate for item in plan], DEMO_HARD.rate),
        ([item.voice.pitch for item in plan], DEMO_HARD.pitch),
        ([room.decay for room in rooms], DEMO_HARD.rooms.decay),
        ([room.direct for room in rooms], DEMO_HARD.rooms.direct),
    ):
        tenth = (high - low) / 10
        assert low <= min(values) < low + tenth
        assert high - tenth < max(values) <= high
    accents = {item.voice.accent for item in plan if "train" in item.path.parts}
    assert accents == set(DEMO_HARD.accents)
    assert {item.room for item in draw_plan(tmp_path, DEMO)} == {None}


@pytest.mark.parametrize("name", SPECS)
def test_more_to_train_on_keeps_the_test_set(tmp_path, name):
    def test_part(train):
        sizes = {**SPECS[name].utterances, "train": train}
        plan = draw_plan(tmp_path, replace(SPECS[name], utterances=sizes))
        return [
            item
            for item in plan
            if part_and_speaker(item.path.relative_to(tmp_path))[0] == "test"
        ]

    assert test_part(1000) == test_part(10)


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("demo", "c25f1e13ac2874cf"),
        ("demo_hard", "848804f44e200fcc"),
        ("mandarin", "bea08f834b587d5d"),
    ],
)
def test_a_corpus_is_the_same_everywhere(tmp_path, name, digest):
    """Results are compared across years: what changes it counts up its version."""
    plan = [
        astuple(replace(item, path=item.path.relative_to(tmp_path)))
        for item in draw_plan(tmp_path, SPECS[name])
    ]
    assert hashlib.sha256(repr(plan).encode()).hexdigest()[:16] == digest
