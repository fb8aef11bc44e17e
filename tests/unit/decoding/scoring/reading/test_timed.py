"""ctm files, and what is wrong with some of them."""

from pathlib import Path

import pytest

from asrkit.decoding.scoring.reading.timed import read_ctm
from asrkit.utils.errors import InputError


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
