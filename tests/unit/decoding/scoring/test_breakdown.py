"""Errors by group and by word, and the tables of them."""

from collections import Counter

import pytest

from asrkit.decoding.scoring.breakdown import Aspect, count_pairs, group_by, word_errors
from asrkit.decoding.scoring.score import Hypothesis, score
from asrkit.decoding.scoring.tables import detail_lines, summary_line

SET = [
    Hypothesis("u1", ["a", "b"], ["a", "c"], "tom", 2.0),
    Hypothesis("u2", ["a"] * 12, ["a"] * 11, "ann", 4.0),
    Hypothesis("u3", ["b"] * 3, ["b"] * 3 + ["x"], "ann", 1.0),
    Hypothesis("u4", [], ["x"], None, None),
    Hypothesis("u5", ["b", "b"], [], "tom", 0.5),
]


def rows(aspect):
    groups = group_by(score(SET), aspect)
    return [(g.name, g.utterances, g.words, g.ins, g.dels, g.subs) for g in groups]


def test_by_speaker():
    assert rows(Aspect.SPEAKER) == [
        ("ann", 2, 15, 1, 1, 0),
        ("tom", 2, 4, 0, 2, 1),
        ("unknown", 1, 0, 1, 0, 0),
    ]


def test_by_duration_the_edge_is_in_the_next():
    assert rows(Aspect.DURATION) == [
        ("< 2 s", 2, 5, 1, 2, 0),
        ("2-5 s", 2, 14, 0, 1, 1),
        ("unknown", 1, 0, 1, 0, 0),
    ]


def test_by_words_a_second():
    assert rows(Aspect.RATE) == [
        ("1-1.5", 1, 2, 0, 0, 1),
        ("3-3.5", 2, 15, 1, 1, 0),
        ("4+", 1, 2, 0, 2, 0),
        ("unknown", 1, 0, 1, 0, 0),
    ]


def test_by_words():
    assert rows(Aspect.WORDS) == [
        ("0", 1, 0, 1, 0, 0),
        ("1-2", 2, 4, 0, 2, 1),
        ("3-5", 1, 3, 1, 0, 0),
        ("11-20", 1, 12, 0, 1, 0),
    ]


def test_what_is_not_known_makes_no_groups():
    result = score([Hypothesis("u", ["a"], ["a"])])
    assert group_by(result, Aspect.SPEAKER) == group_by(result, Aspect.RATE) == []


def test_rate_of_a_group():
    ann, tom, unknown = group_by(score(SET), Aspect.SPEAKER)
    assert ann.rate == pytest.approx(100 * 2 / 15)
    assert tom.rate == 75.0
    assert unknown.rate is None


def test_word_errors():
    errors = word_errors(count_pairs(score(SET).alignments))
    assert errors.subs == Counter({("b", "c"): 1})
    assert errors.dels == Counter({"b": 2, "a": 1})
    assert errors.ins == Counter({"x": 2})


def test_tables():
    result = score(SET)
    text = "\n".join(detail_lines(result))
    assert "ann        13.33        2        15       1       1       0" in text
    assert "unknown        -        1" in text
    assert "      1  b -> c" in text
    assert "      2  x" in text
    assert summary_line(result).endswith(
        "1 of 5 hypotheses empty, interval over utterances"
    )


def test_of_many_speakers_the_worst_are_listed():
    many = [
        Hypothesis(f"u{n}", ["a"] * 20, ["b"] * n + ["a"] * (20 - n), f"s{n:02d}")
        for n in range(15)
    ]
    lines = list(detail_lines(score(many), most=3))
    assert lines[1].startswith("speaker (worst)")
    assert [line.split()[0] for line in lines[2:6] if line] == ["s14", "s13", "s12"]
