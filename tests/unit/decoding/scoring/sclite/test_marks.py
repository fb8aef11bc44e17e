"""Marks in texts, and alignments of the networks that they make."""

from dataclasses import replace

import kaldialign
import pytest

from asrkit.decoding.scoring.html_report import Decoded, write_html_report
from asrkit.decoding.scoring.sclite.marked import Marked, mark_hints, score_marked
from asrkit.decoding.scoring.sclite.words import Marks, fold, parse_text
from asrkit.decoding.scoring.significance import compare
from asrkit.utils.errors import InputError


def counts(ref, hyp, marks=None):
    """Return correct, sub, del, ins."""
    one = Marked("u", parse_text(ref, "r"), parse_text(hyp, "h"))
    score = score_marked([one], marks or Marks())
    return score.words - score.subs - score.dels, score.subs, score.dels, score.ins


def test_alternatives_are_parsed():
    assert parse_text("a { b c / { d / @ } e } f", "x") == [
        "a", [["b", "c"], [[["d"], ["@"]], "e"]], "f",
    ]  # fmt: skip
    # Without blanks, and an alternative that is empty, which sclite does not see.
    assert parse_text("{a/b}c { a / }", "x") == [[["a"], ["b"]], "c", [["a"]]]
    # A slash is a word, and a no-break space a letter.
    assert parse_text("a / b\u00a0c", "x") == ["a", "/", "b\u00a0c"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a { b", "x: `{` is never closed in 'a { b'"),
        ("a } b", "x: `}` closes nothing"),
        ("a { } b", "x: `}` closes nothing"),
        ("a{ b / c }", "x: `{` is part of a word"),
    ],
)
def test_braces_that_do_not_match(text, message):
    with pytest.raises(InputError, match=message):
        parse_text(text, "x")


# What sclite 2.10 counts.
@pytest.mark.parametrize(
    ("ref", "hyp", "options", "expected"),
    [
        ("i (uh) think so", "i think so", Marks(), (3, 0, 1, 0)),
        ("i (uh) think so", "i think so", Marks(optional=True), (4, 0, 0, 0)),
        ("(uh) x", "uh x", Marks(), (1, 1, 0, 0)),
        ("(uh) x", "uh x", Marks(optional=True), (2, 0, 0, 0)),
        ("x", "(uh) x", Marks(optional=True), (2, 0, 0, 0)),
        ("we { can not / cannot } go", "we cannot go", Marks(), (3, 0, 0, 0)),
        ("she said { hmm / @ } yes", "she said yes", Marks(), (3, 0, 0, 0)),
        ("the end", "th- end", Marks(), (1, 1, 0, 0)),
        ("the end", "th- end", Marks(fragments=True), (2, 0, 0, 0)),
        ("sing -ing", "-ing king", Marks(fragments=True), (2, 0, 0, 0)),
        ("th- the end", "the end", Marks(fragments=True), (2, 0, 1, 0)),
        ("a* b", "a b", Marks(), (2, 0, 0, 0)),
        ("a;tag b\\c", "a bc", Marks(), (2, 0, 0, 0)),
        ("", "a", Marks(), None),
    ],
)
def test_what_counts(ref, hyp, options, expected):
    if expected is None:
        with pytest.raises(InputError, match="no reference words"):
            counts(ref, hyp, options)
    else:
        assert counts(ref, hyp, options) == expected


def test_the_cheapest_alignment_may_have_more_errors_than_the_shortest():
    # Five swaps cost 20; three words lost and three added, 18. So does sclite 2.10.
    ref, hyp = "a b c d e", "d e x y z"
    assert counts(ref, hyp) == (2, 0, 3, 3)
    assert kaldialign.edit_distance(ref.split(), hyp.split())["total"] == 5


def test_rounding_decides_between_ways_with_null_words():
    # As sclite 2.10 counts; sums in another order find another way.
    hyp = "a { @ / a / c b b } then- b then { { d a d / a ing b } then the / @ } the"
    assert counts("then -d ing- a", hyp) == (0, 4, 0, 1)


def test_case_is_folded_in_ascii_alone():
    assert fold("ÉCOLE ABC") == "École abc"


def test_what_is_right_by_a_rule_looks_the_same_on_both_sides():
    one = Marked("u", parse_text("(uh) th- { x / y }", "r"), parse_text("the y z", "h"))
    [aligned] = score_marked([one], Marks(True, True)).alignments
    assert aligned.pairs == [("(uh)", "(uh)"), ("th-", "th-"), ("y", "y"), ("", "z")]
    assert (aligned.ref, aligned.hyp) == (
        ["(uh)", "th-", "y"], ["(uh)", "th-", "y", "z"],
    )  # fmt: skip


def test_systems_may_fit_other_alternatives(tmp_path):
    ref = parse_text("{ a b / c } d", "r")
    systems = [
        score_marked([Marked("u", ref, parse_text(hyp, "h"))], Marks())
        for hyp in ("a b x", "c x")
    ]
    assert [one.rate for one in systems] == pytest.approx([100 / 3, 50])
    assert compare(*systems).difference == pytest.approx(50 - 100 / 3)
    decoded = [Decoded("s", name, one) for name, one in zip("ab", systems, strict=True)]
    with pytest.raises(InputError, match="in 1 utterances the systems fit other alter"):
        write_html_report(tmp_path / "x", [replace(decoded[0], versus=decoded[1])])
    other = Marked("u", parse_text("{ a b / e } d", "r"), ["c"])
    with pytest.raises(InputError, match="different references in 1 utterances"):
        compare(systems[0], score_marked([other], Marks()))


def test_hints_to_options():
    one = Marked("u", parse_text("(uh) th- a", "r"), parse_text("the a", "h"))
    score = score_marked([one], Marks())
    assert list(mark_hints(score, Marks())) == [
        "hint: errors at words such as (uh), which may lack with -D: 1",
        "hint: errors at fragments such as th-, which fit more with -F: 1",
    ]
    assert list(mark_hints(score, Marks(True, True))) == []
