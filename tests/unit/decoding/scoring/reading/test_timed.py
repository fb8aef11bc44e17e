"""stm and ctm files, and what is wrong with some of them."""

from pathlib import Path

import pytest

from asrkit.decoding.scoring.reading.timed import read_ctm, read_stm
from asrkit.utils.errors import InputError

STM = """;; LABEL "O" "Overall" "Overall results"
;; CATEGORY "0" "all" "All"
;; a comment

f 1 s 0.5 2 <O> a b
f 1 s 2 3 <o,m> <unk> c
f 1 s 3 4 <unk> d
f 1 s 4 5
f 1 s 5 6 Ignore_Time_Segment_In_Scoring
"""


def test_stm():
    stm = read_stm(Path("x.stm"), STM)
    assert stm.titles == {"o": "Overall"}
    assert stm.categories == ["all"]
    assert [(one.labels, one.text) for one in stm.segments[:4]] == [
        (("o",), "a b"), (("o", "m"), "<unk> c"), ((), "<unk> d"), ((), ""),
    ]  # fmt: skip
    assert [one.ignored for one in stm.segments] == [False] * 4 + [True]
    first = stm.segments[0]
    assert (first.file, first.channel, first.speaker) == ("f", "1", "s")
    assert (first.start, first.end, first.where) == (0.5, 2.0, "x.stm:5")


def test_ctm():
    text = (
        ";; c\nf A 1 0.5 a 0.9 lex s\nf A * * <ALT_BEGIN>\nf A 2 .2 b\nf A * * <ALT>\n"
    )
    first, second = read_ctm(Path("x.ctm"), text + "f A * * <ALT_END>\n")
    assert (first.start, first.middle) == (1.0, 1.25)
    assert [[word.text for word in one] for one in second.readings] == [["b"], []]
    assert second.middle == 2.1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("f 1 s 0\n", r"x:1: expected `FILE CHANNEL SPEAKER BEGIN END"),
        ("f 1 s 0 x a\n", r"x:1: 'x' is not a time in seconds"),
        ("f 1 s -1 2 a\n", r"x:1: '-1' is not a time"),
        (";; none\n", r"x holds no segment"),
    ],
)
def test_bad_stm(text, message):
    with pytest.raises(InputError, match=message):
        read_stm(Path("x"), text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("f A 0 1\n", r"x:1: expected `FILE CHANNEL BEGIN DURATION WORD"),
        ("f A 0 1 a word of many parts\n", r"x:1: expected `FILE"),
        ("f A 0 nan a\n", r"x:1: 'nan' is not a time"),
        ("f A * * <ALT>\n", r"x:1: <ALT> is out of place"),
        ("f A * * <ALT_BEGIN>\nf A * * <ALT_BEGIN>\n", r"x:2: <ALT_BEGIN> is out of"),
        ("f A * * <ALT_BEGIN>\nf A 0 1 a\n", r"x:1: <ALT_BEGIN> has no <ALT_END>"),
        ("f A * * <ALT_BEGIN>\nf A * * <ALT_END>\n", r"x:1: no word up to <ALT_END>"),
    ],
)
def test_bad_ctm(text, message):
    with pytest.raises(InputError, match=message):
        read_ctm(Path("x"), text)
