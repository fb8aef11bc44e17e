"""What is wrong with an utterance, and whether it is left out."""

import pytest

from asrkit.data.report.report import make_report
from tests.unit.data.report.reports import (
    LIMITS,
    TOKENIZER,
    bad_cuts,
    make_cut,
    report_on,
)


@pytest.mark.parametrize(
    ("options", "text", "seconds", "left_out"),
    [
        # Two frames a second. Regular topology: one frame is enough for anything.
        ({}, "ABCDEFGH", 0.5, False),
        ({"max_symbols_per_frame": 1}, "ABCD", 2.0, False),
        ({"max_symbols_per_frame": 1}, "ABCDE", 2.0, True),
        ({"max_symbols_per_frame": 1}, "AABB", 2.0, False),
        ({"max_symbols_per_frame": 2}, "ABCDEFGH", 2.0, False),
        ({"max_symbols_per_frame": 2}, "ABCDEFGHA", 2.0, True),
        ({"repeats_need_frame": True}, "ABAB", 2.0, False),
        ({"repeats_need_frame": True}, "AABC", 2.0, True),
        ({"repeats_need_frame": True}, "AABC", 2.5, False),
        ({"repeats_need_frame": True}, "AAA", 2.0, True),
    ],
)
def test_no_path(options, text, seconds, left_out):
    report = report_on(options, train=[make_cut("u", text, seconds)])
    assert report.left_out_ids("train") == ({"u"} if left_out else set())
    if left_out:
        assert f"{len(text)} tokens need" in report.left_out[0].reason


def test_recording_too_short_for_a_frame():
    report = make_report(
        {"train": [make_cut("u", "A", 0.1)]},
        {"train": "train"},
        TOKENIZER,
        frames_of=lambda seconds: int(seconds * 2),
        subsampling=4,
    )
    assert report.left_out_ids("train") == {"u"}


@pytest.mark.parametrize(
    ("part", "left_out", "kept"),
    [
        ("train", "empty blank textless silent short long foreign dense", "clipped"),
        ("dev", "empty blank textless silent short long dense", "foreign clipped"),
        ("test", "", "empty blank textless silent short long foreign dense clipped"),
    ],
)
def test_what_is_left_out_of_which_part(part, left_out, kept):
    report = report_on(LIMITS, **{part: bad_cuts()})
    assert report.left_out_ids(part) == set(left_out.split())
    assert {utterance.id for utterance in report.kept} == set(kept.split())
    assert report.left_out_ids("other") == set()
    assert report.parts[0].clipped == 1
    assert report.parts[0].left_out == len(left_out.split())


def test_reasons():
    report = report_on(LIMITS, train=bad_cuts())
    reasons = {found.id: found.reason for found in [*report.left_out, *report.kept]}
    assert reasons == {
        "empty": "empty text",
        "blank": "empty text",
        "textless": "empty text",
        "silent": "silent: the peak is 0.0009",
        "short": "0.9 s, data.min_seconds is 1",
        "long": "20.1 s, data.max_seconds is 20",
        "foreign": "the tokenizer lacks: É Ü",
        "dense": "42 tokens in 2 s, data.max_tokens_per_second is 20",
        "clipped": "clipped: 0.11 % of the samples",
    }


def test_several_problems_of_an_utterance_are_one_row():
    cut = make_cut("u", "ÉÉÉÉÉ", 0.5, peak=1.0, clipped=0.5)
    options = {"max_symbols_per_frame": 1, **LIMITS}
    (found,) = report_on(options, train=[cut]).left_out
    assert found.reason == (
        "0.5 s, data.min_seconds is 1; clipped: 50 % of the samples; "
        "the tokenizer lacks: É; "
        "5 tokens need 5 encoder frames, 0.5 s have 1 (subsampling 4)"
    )
