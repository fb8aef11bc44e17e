"""Phones from espeak-ng."""
# ruff: noqa: RUF001 (phonetic letters look like others)

import random

import pytest

pytest.importorskip("espeakng_loader")

from asrkit.data.synthesis.english.sentences import WORDS
from asrkit.data.synthesis.espeak import VoiceSettings, phonemes, speak
from asrkit.utils.errors import InputError


@pytest.mark.parametrize(
    ("word", "phones"),
    [
        ("SHEEP", "ʃ iː p"),
        ("o'clock", "ə k l ɑː k"),
        ("Lights,camera", "l aɪ t s k æ m ɹ ə"),  # espeak-ng stops at the comma
        ("naïve", "n aɪ iː v"),
        # Coloured vowels are taken apart.
        ("CAR", "k ɑː ɹ"),
        ("FIRE", "f aɪ ɚ"),
        ("LITTLE", "l ɪ ɾ ə l"),
        ("HER", "h ɜː"),
        ("I", "aɪ"),
        # Words that espeak-ng takes for numbers: "roman six", "roman eleven".
        ("VI", "v aɪ"),
        ("Xi", "z aɪ"),
        ("vi's", "v aɪ z"),
        # Made of the same letters, and read as words anyway.
        ("MIX", "m ɪ k s"),
        ("CIVIC", "s ɪ v ɪ k"),
        ("CD", "s iː d iː"),
    ],
)
def test_words(word, phones):
    assert phonemes([word], "en-US") == [phones.split()]


@pytest.mark.parametrize(
    "word",
    [
        *["", "42", "B2B", "привет", "aпb", "你好", "-", "€", "x²"],
        # Numerals: four, or the fourth?
        *["IV", "viii", "XLVIII", "LOUIS-XIV", "III."],
    ],
)
def test_what_cannot_be_read_has_no_phones(word):
    assert phonemes(["A", word, "A"], "en-US") == [["eɪ"], [], ["eɪ"]]


def test_capitals_are_no_abbreviations():
    words = ["IT", "US", "MAN"]
    assert phonemes(words, "en") == phonemes([word.lower() for word in words], "en")


def test_accents_differ():
    american, british = (phonemes(["CAR", "NOT"], name) for name in ("en-US", "en"))
    assert american != british
    assert british[0] == ["k", "ɑː"]
    with pytest.raises(InputError, match=r"no accent 'de'; there are en, "):
        phonemes(["AUTO"], "de")


def test_phones_do_not_depend_on_what_came_before():
    words = " ".join(WORDS.values()).split()
    expected = dict(zip(words, phonemes(words, "en-US"), strict=True))
    random.Random(0).shuffle(words)
    speak("A SENTENCE BEFORE", VoiceSettings(accent="en", variant="f2"))
    phonemes(["OTHERS"], "en")
    assert dict(zip(words, phonemes(words, "en-US"), strict=True)) == expected
    assert all(phones and "ˈ" not in "".join(phones) for phones in expected.values())
