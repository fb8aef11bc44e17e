"""What explains many errors at once."""

from asrkit.decoding.scoring.error_unit import ErrorUnit
from asrkit.decoding.scoring.hints import hints
from asrkit.decoding.scoring.score import Hypothesis, score


def said(*pairs):
    hypotheses = [
        Hypothesis(f"u{n}", ref.split(), hyp.split())
        for n, (ref, hyp) in enumerate(pairs)
    ]
    return list(hints(score(hypotheses)))


def test_case():
    assert said(("Hello YOU x", "hello you y")) == [
        "hint: 2 of 3 errors vanish when case is ignored"
    ]


def test_punctuation():
    # Apostrophes belong to words; a hyphen and a lone comma do not.
    assert said(("don\u2019t , well-known .", "don't well known"), ("it's", "its")) == [
        "hint: 4 of 5 errors vanish when punctuation is ignored"
    ]


def test_both_where_neither_does_it_alone():
    assert said(("Hello, you Paul", "hello you paul")) == [
        "hint: 1 of 2 errors vanish when case is ignored",
        "hint: 2 of 2 errors vanish when case and punctuation are ignored",
    ]


def test_nothing_to_say():
    assert said(("a b", "a c")) == []
    assert said(("a b", "a b")) == []
    few = [("A", "a")] + [("b", "c")] * 100
    assert said(*few) == []


def test_words_of_a_script_without_blanks():
    (hint,) = said(("今天 天气 OK", "今天天气 OK"))
    assert "written without blanks; count characters" in hint
    assert said(("今天 天气 OK", "今天 天气 OK"), ("A", "A")) == []
    assert said(("hello 今 天 you", "hello 天 you")) == []
    texts = [Hypothesis("u", ["今天", "天气"], ["今天", "气"])]
    assert list(hints(score(texts, ErrorUnit.CHARACTER))) == []
