"""What is said in the Mandarin corpus, and whether it can be told apart by ear."""

import random
import unicodedata
from collections import Counter, defaultdict

import pytest

pytest.importorskip("espeakng_loader")

from asrkit.data.synthesis.espeak import tonal_phonemes
from asrkit.data.synthesis.mandarin.names import common_characters, make_names
from asrkit.data.synthesis.mandarin.sentences import (
    NUM_NAMES,
    draw_mandarin,
    everyday_words,
)
from asrkit.data.synthesis.specs import MANDARIN

COUNTS = [MANDARIN.utterances[part] for part in MANDARIN.shares]


@pytest.fixture(scope="module")
def names():
    return make_names(everyday_words(), NUM_NAMES)


@pytest.fixture(scope="module")
def lists():
    return draw_mandarin(COUNTS, random.Random(0))


def test_common_characters():
    """GB 2312 says how many, and which ones come first and last."""
    characters = common_characters()
    assert len(set(characters)) == len(characters) == 3755
    assert (characters[0], characters[-1]) == ("啊", "座")
    assert {unicodedata.name(one).split("-")[0] for one in characters} == {
        "CJK UNIFIED IDEOGRAPH"
    }


def test_names_are_of_characters_of_their_own(names):
    characters = "".join(everyday_words() + names)
    assert {len(name) for name in names} == {2}
    assert len(names) == NUM_NAMES
    of_names = Counter("".join(names))
    assert set(of_names.values()) == {1}
    assert not of_names.keys() & set("".join(everyday_words()))
    assert len(set(characters)) > 3000


def test_no_two_words_sound_alike(names):
    """Even if nobody hears tones; and none is read as English."""
    spoken = defaultdict(list)
    words = everyday_words() + names
    for word, phonemes in zip(words, tonal_phonemes(words, "cmn"), strict=True):
        assert phonemes
        spoken[phonemes.translate(str.maketrans("", "", "12345"))].append(word)
    assert [alike for alike in spoken.values() if len(alike) > 1] == []


def test_tones_are_told():
    high, rising, low, falling, english = tonal_phonemes(
        ["妈", "麻", "马", "骂", "穷"], "cmn"
    )
    assert (high, rising, low, falling) == ("m A55", "m A35", "m A214", "m A51")
    assert english == ""  # espeak-ng 1.52 has no final IONG and goes over to English


def test_training_has_every_character_of_3000(lists):
    test, dev, train = lists
    assert [len(test), len(dev), len(train)] == COUNTS
    assert len({*test, *dev, *train}) == sum(COUNTS)
    known = set("".join(train)) - {" "}
    assert len(known) > 3000
    assert set("".join(test + dev)) - {" "} <= known


def test_most_of_what_is_said_is_frequent(lists, names):
    """A few words are most of a text; the names make up the long tail."""
    test, _, train = (" ".join(some).split() for some in lists)
    trained = Counter(train)
    assert min(trained[name] for name in names) >= 1
    seldom = [word for word in test if trained[word] <= 5]
    assert 0.01 < len("".join(seldom)) / len("".join(test)) < 0.05
    # Zipf's law: the second of a kind half as often as the first.
    assert trained["苹果"] / trained["手机"] == pytest.approx(2, rel=0.3)


def test_first_lists_do_not_depend_on_the_training(lists):
    assert draw_mandarin([*COUNTS[:2], 10], random.Random(0))[:2] == lists[:2]
