"""stm files, and what is wrong with some of them."""

from pathlib import Path

import pytest

from asrkit.text.stm import read_stm
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
