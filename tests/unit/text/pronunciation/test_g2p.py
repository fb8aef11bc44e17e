"""Graphones and pronunciations, against all ways to cut a word."""

import itertools
import logging
import math
import random
from collections import Counter

import pytest
import torch

from asrkit.models.lm.ngram_lm import NgramLm
from asrkit.text.ngram.kneser_ney import train_kneser_ney
from asrkit.text.pronunciation import g2p
from asrkit.text.pronunciation.g2p import GraphemeToPhoneme, train_g2p
from asrkit.text.pronunciation.graphones import align, can_align
from asrkit.utils.errors import InputError

SHAPES = [(1, 0), (1, 1), (1, 2), (2, 1)]
WORDS = [
    ("SHIP", "SH IH P"),
    ("SHE", "SH IY"),
    ("HIPS", "HH IH P S"),
    ("FIX", "F IH K S"),
    ("X", "K S"),
    ("HIDE", "HH AY D"),
    ("SHED", "SH EH D"),
    ("SHED", "S HH EH D"),
    ("PEP", "P EH P"),
]
WORDS = [(word, phones.split()) for word, phones in WORDS]


def all_cuts(letters, phones):
    if not letters and not phones:
        yield []
    for a, b in SHAPES:
        if len(letters) >= a and len(phones) >= b:
            first = (letters[:a], tuple(phones[:b]))
            for rest in all_cuts(letters[a:], phones[b:]):
                yield [first, *rest]


def probability(cut, probs):
    return math.prod(
        probs[letters, phones] ** (1.5 if len(letters) == 2 or len(phones) == 2 else 1)
        for letters, phones in cut
    )


def test_alignment_is_that_of_expectation_maximization_over_all_cuts():
    cuts = [list(all_cuts(*word)) for word in WORDS]
    graphones = {one for some in cuts for cut in some for one in cut}
    probs = dict.fromkeys(graphones, 1.0)
    for _ in range(8):
        counts = Counter()
        for some in cuts:
            weights = [probability(cut, probs) for cut in some]
            for cut, weight in zip(some, weights, strict=True):
                for one in cut:
                    counts[one] += weight / sum(weights)
        probs = {one: counts[one] / counts.total() for one in graphones}
    for word, some, found in zip(WORDS, cuts, align(WORDS), strict=True):
        best = max(probability(cut, probs) for cut in some)
        assert found in some, word
        assert probability(found, probs) == pytest.approx(best), word


def test_what_can_be_aligned():
    assert can_align("A", ["EY"])
    assert can_align("X", ["EH", "K"])
    assert not can_align("X", ["EH", "K", "S"])
    assert not can_align("A", [])
    assert not can_align("A" * 100, ["AH"])


def make_model(order):
    cuts = align(WORDS)
    ids = {one: i for i, one in enumerate(dict.fromkeys(itertools.chain(*cuts)), 1)}
    sentences = [[ids[one] for one in cut] for cut in cuts]
    table = train_kneser_ney(sentences, len(ids) + 1, order=order)
    return GraphemeToPhoneme(list(ids), table), NgramLm(table, len(ids) + 1), ids


@pytest.mark.parametrize("order", [2, 3, 4])
def test_pronunciation_is_the_best_of_all_cuts(order, monkeypatch):
    monkeypatch.setattr(g2p, "_BEAM", 10_000)
    monkeypatch.setattr(g2p, "_MARGIN", 1000.0)
    model, ngram, ids = make_model(order)
    for word in ["SHIPS", "HEX", "FEED", "DISH", "PIXIE", "SHED"]:
        pieces = [[one for one in ids if one[0] == word[i:][: len(one[0])]]
                  for i in range(len(word))]  # fmt: skip

        def cut_from(start, word=word, pieces=pieces):
            if start == len(word):
                yield []
                return
            for one in pieces[start]:
                for rest in cut_from(start + len(one[0])):
                    yield [one, *rest]

        scores = {}
        for cut in cut_from(0):
            tokens = torch.tensor([[ids[one] for one in cut]])
            score = ngram.log_prob(tokens, torch.tensor([len(cut)])).item()
            phones = tuple(phone for _, spoken in cut for phone in spoken)
            if phones:
                scores[phones] = max(score, scores.get(phones, -math.inf))
        best = max(scores, key=scores.__getitem__)
        assert model.pronounce(word) == list(best), word


def test_letters_that_are_new_cannot_be_pronounced():
    model, _, _ = make_model(3)
    assert model.pronounce("SHIP4") is None
    assert model.pronounce("ship") is None
    assert model.pronounce("") is None


def spell(syllables):
    """Return a word of a made-up language and its phones."""
    letters = {"SH": "sh", "K": "k", "T": "t", "KS": "x", "L": "ll"}
    word, phones = "", []
    for consonant, vowel in syllables:
        # C is soft before E and I, silent H follows A.
        word += letters.get(consonant, "c") + vowel + ("h" if vowel == "a" else "")
        if consonant == "C":
            consonant = "S" if vowel in "ei" else "K"
        phones += ["K", "S"] if consonant == "KS" else [consonant]
        phones.append(vowel.upper())
    return word, phones


def test_a_regular_language_is_learnt(caplog):
    syllables = list(itertools.product(["SH", "K", "T", "KS", "L", "C"], "aeiou"))
    words = [
        spell(some) for n in (1, 2) for some in itertools.product(syllables, repeat=n)
    ]
    random.Random(0).shuffle(words)
    held_out, lexicon = words[:200], {word: [phones] for word, phones in words[200:]}
    lexicon["tla"] = [["T", "IY", "E", "L", "E", "EY", "A"]]
    with caplog.at_level(logging.INFO):
        model = train_g2p(lexicon)
    assert "learning from 730 pronunciations" in caplog.text
    assert "1 are left out" in caplog.text
    wrong = [word for word, phones in held_out if model.pronounce(word) != phones]
    assert wrong == []


def test_tiny_lexicon():
    assert train_g2p({"a": [["AH"]]}).pronounce("aa") == ["AH", "AH"]


def test_nothing_to_learn_from():
    with pytest.raises(InputError, match="cannot learn pronunciations"):
        train_g2p({"x": [["EH", "K", "S"]]})
