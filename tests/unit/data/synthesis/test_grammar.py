"""Sentences by chance, and the two grammars."""

import random
import re
from collections import Counter, defaultdict

import pytest

pytest.importorskip("espeakng_loader")

from asrkit.data.synthesis.english import hard_sentences, sentences
from asrkit.data.synthesis.english.sentences import TEMPLATES, WORDS
from asrkit.data.synthesis.espeak import phonemes
from asrkit.data.synthesis.grammar import START, draw_sentences
from asrkit.data.synthesis.specs import DEMO_HARD

GRAMMARS = {"demo": sentences.GRAMMAR, "demo_hard": hard_sentences.GRAMMAR}


def test_a_sentence_is_what_the_rules_allow():
    """Against all sentences of a small grammar, each as often as its choices say."""
    grammar = {START: ("a B", "A"), "a": ("x", "y x"), "x": ("X", "Y")}
    grammar["y"] = ["Z"]
    often = Counter()
    for seed in range(4000):
        (drawn,) = draw_sentences(grammar, [5], random.Random(seed))
        often[drawn[0]] += 1
        assert sorted(drawn) == ["A", "X B", "Y B", "Z X B", "Z Y B"]
    assert often["A"] == pytest.approx(2000, abs=150)
    assert often["Z X B"] == pytest.approx(500, abs=100)


def test_lists_share_no_sentence_and_the_first_stay():
    first, second = draw_sentences(sentences.GRAMMAR, [30, 300], random.Random(0))
    assert len({*first, *second}) == 330
    (same, _) = draw_sentences(sentences.GRAMMAR, [30, 5], random.Random(0))
    assert same == first


def reached(grammar):
    """Return the symbols that a sentence can come to hold, and the words."""
    found, ahead = set(), [START]
    while ahead:
        symbol = ahead.pop()
        if symbol not in found:
            found.add(symbol)
            choices = " ".join(grammar.get(symbol, ())).split()
            ahead += [part for part in choices if part not in found]
    return found & grammar.keys(), found - grammar.keys()


@pytest.mark.parametrize(
    ("name", "least", "most"), [("demo", 45, 60), ("demo_hard", 2500, 4000)]
)
def test_vocabulary(name, least, most):
    symbols, words = reached(GRAMMARS[name])
    assert symbols == GRAMMARS[name].keys()
    assert least <= len(words) <= most
    assert [word for word in words if not re.fullmatch("[A-Z]+", word)] == []


@pytest.mark.parametrize("accent", DEMO_HARD.accents)
def test_no_two_words_sound_alike(accent):
    for grammar in GRAMMARS.values():
        words = sorted(reached(grammar)[1])
        spoken = defaultdict(list)
        for word, phones in zip(words, phonemes(words, accent), strict=True):
            spoken[tuple(phones)].append(word)
        assert [alike for alike in spoken.values() if len(alike) > 1] == []


def test_sentences_of_demo():
    (drawn,) = draw_sentences(sentences.GRAMMAR, [2000], random.Random(0))
    counts = Counter(word for sentence in drawn for word in sentence.split())
    assert {len(sentence.split()) for sentence in drawn} <= set(range(3, 9))
    slots = {word for words in WORDS.values() for word in words.split()}
    fixed = {word for line in TEMPLATES for word in line.split() if word not in WORDS}
    assert set(counts) == slots | fixed
    assert min(counts.values()) >= 40


def test_sentences_of_demo_hard():
    """The test set has words that training lacks, but not many."""
    test, train = draw_sentences(hard_sentences.GRAMMAR, [200, 1100], random.Random(0))
    assert {len(sentence.split()) for sentence in test} <= set(range(7, 19))
    known = set(" ".join(train).split())
    assert len(known) > 2000
    words = " ".join(test).split()
    assert 0.02 < sum(word not in known for word in words) / len(words) < 0.1
