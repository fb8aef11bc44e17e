"""What is written of what people do as they talk, and what the rules make of it."""

import random

import pytest

from asrkit.data.corpora.telephone.text import REFERENCE, TRAINING, normalize
from asrkit.data.synthesis.telephone.marks import mark

NONE = dict.fromkeys(
    ("laughed", "variant", "misread", "hesitation", "fragment", "aside", "doubt"), 0.0
)


@pytest.mark.parametrize(
    ("kind", "spoken", "written", "reference"),
    [
        ("laughed", "tea", "[laughter-tea]", "tea"),
        ("variant", "tea", "tea_1", "{ tea / teas }"),
        ("misread", "tea", "[aet/tea]", "tea"),
        ("fragment", "te tea", "te[a]- tea", "(te-) tea"),
        ("aside", "tea", "<b_aside> tea <e_aside>", "<B_ASIDE> tea <E_ASIDE>"),
        ("doubt", "tea", "((tea))", "((tea)"),
        ("none", "tea", "tea", "tea"),
    ],
)
def test_a_mark(kind, spoken, written, reference):
    pieces = mark("TEA", random.Random(0), NONE | {kind: 1.0})
    assert " ".join(piece.spoken for piece in pieces).split() == spoken.split()
    assert " ".join(piece.written for piece in pieces) == written
    assert " ".join(piece.reference for piece in pieces) == reference


def test_a_hesitation():
    (sound, _) = mark("TEA", random.Random(0), NONE | {"hesitation": 1.0})
    assert sound.spoken == sound.written
    assert sound.written in ("uh", "um")
    assert sound.reference == "(%hesitation)"


def test_the_words_come_back():
    """Whatever is marked: the rules of training and test find the sentence."""
    shares = {**dict.fromkeys(NONE, 0.3), "doubt": 0.0, "hesitation": 0.0}
    for seed in range(50):
        pieces = mark("THE OLD TEACHER", random.Random(seed), shares)
        written = " ".join(piece.written for piece in pieces)
        assert normalize(written, TRAINING) == "THE OLD TEACHER"
        reference = " ".join(piece.reference for piece in pieces)
        assert normalize(reference, REFERENCE) == "THE OLD TEACHER"
