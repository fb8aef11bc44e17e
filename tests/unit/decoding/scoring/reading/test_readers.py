"""Decoded sets of other toolkits, and what is wrong with some of them."""

import json

import pytest

from asrkit.decoding.scoring.reading.formats import ScoringFormat
from asrkit.decoding.scoring.reading.readers import (
    read_decode,
    with_durations,
    with_speakers,
)
from asrkit.decoding.scoring.score import Hypothesis
from asrkit.utils.errors import InputError

SET = [Hypothesis("u1", ["A", "B"], ["A"]), Hypothesis("u2", ["C"], [])]


def write_jsonl(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


REFERENCES = {
    "ref.trn": "A B (u1)\nC (u2)\n",
    "text": "u1 A B\nu2 C\n",
    "ref.jsonl": '{"id": "u1", "text": "A B"}\n{"id": "u2", "ref": ["C"]}\n',
    "recogs-x.txt": "u1:\tref=['A', 'B']\nu2:\tref=['C']\n",
}
HYPOTHESES = {
    "hyp.trn": "A (u1)\n(u2)\n",
    "hyp.txt": "u1 A\nu2\n",
    "hyp.jsonl": '{"id": "u1", "text": "A"}\n{"id": "u2", "hyp": ""}\n',
    "recogs-y.txt": "u1:\thyp=['A']\nu2:\thyp=[]\n",
}


@pytest.mark.parametrize("ref", REFERENCES)
@pytest.mark.parametrize("hyp", ["hyp.trn", "hyp.txt", "recogs-y.txt"])
def test_any_format_beside_any_other(tmp_path, ref, hyp):
    ref_path = write(tmp_path / ref, REFERENCES[ref])
    assert read_decode(write(tmp_path / hyp, HYPOTHESES[hyp]), ref_path) == SET


def test_jsonl_of_both_sides(tmp_path):
    ours = write_jsonl(
        tmp_path / "a.jsonl",
        {"id": "u1", "ref": "A B", "hyp": ["A"], "speaker": 7, "duration": 1.5},
        {"id": "u2", "ref": "C", "hyp": ""},
    )
    expected = [Hypothesis("u1", ["A", "B"], ["A"], "7", 1.5), SET[1]]
    assert read_decode(ours) == expected


def test_manifest_of_nemo(tmp_path):
    path = write_jsonl(
        tmp_path / "a.json",
        {"audio_filepath": "u1", "duration": 2, "text": "A B", "pred_text": "A"},
        {"audio_filepath": "u2", "duration": 3, "text": "C", "pred_text": ""},
    )
    assert [(one.ref, one.hyp, one.duration) for one in read_decode(path)] == [
        (["A", "B"], ["A"], 2.0),
        (["C"], [], 3.0),
    ]


def test_hypotheses_called_text_need_the_reference(tmp_path):
    hyp = write_jsonl(tmp_path / "h.jsonl", {"id": "u", "text": "A"})
    with pytest.raises(InputError, match=r"one text an utterance; .* with --ref"):
        read_decode(hyp)
    ref = write_jsonl(
        tmp_path / "r.jsonl", {"id": "u", "text": "B", "speaker": "s", "duration": 1}
    )
    assert read_decode(hyp, ref) == [Hypothesis("u", ["B"], ["A"], "s", 1.0)]


def test_a_format_that_the_name_hides(tmp_path):
    ref = write(tmp_path / "text", "u A\n")
    hyp = write(tmp_path / "hyp.out", "A B (u)\n")
    read = read_decode(hyp, ref, format=ScoringFormat.TRN)
    assert read == [Hypothesis("u", ["A"], ["A", "B"])]
    with pytest.raises(InputError, match=r"text lacks 1 of 1 utterances: A"):
        read_decode(hyp, ref)  # taken for `ID WORDS`


def test_empty_words_of_other_tools_are_dropped(tmp_path):
    path = tmp_path / "recogs.txt"
    path.write_text("u:\tref=['A', '']\nu:\thyp=['', 'A']\n")
    assert read_decode(path) == [Hypothesis("u", ["A"], ["A"])]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("u ref=['A']\n", r"recogs\.txt:1: expected"),
        ("u:\tref=['A']\n", r"recogs\.txt \(hyp\) lacks 1 of 1 utterances: u"),
        ("u:\thyp=['A']\n", r"recogs\.txt \(ref\) lacks 1 of 1 utterances: u"),
        ("u:\tref=[]\n\nu:\tref=[]\n", r"recogs\.txt:3: utterance u is there twice"),
        ("u:\tref=['\\ud800']\n", r"recogs\.txt:1: .* is not a list of words"),
        ("u:\tref=[A]\n", r"recogs\.txt:1: '\[A\]' is not a list of words"),
    ],
)
def test_bad_recogs(tmp_path, text, message):
    path = tmp_path / "recogs.txt"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_decode(path)


def test_missing_recogs(tmp_path):
    with pytest.raises(InputError, match=r"cannot read .*nothing\.txt"):
        read_decode(tmp_path / "nothing.txt")


def test_trn_comments_and_bad_lines(tmp_path):
    ref, hyp = tmp_path / "a.trn", tmp_path / "b.trn"
    ref.write_text(";; made by hand\nA B (x_1)\nC (y)\n")
    hyp.write_text("(x_1)\nC(y)\n")
    assert read_decode(hyp, ref) == [
        Hypothesis("x_1", ["A", "B"], []),
        Hypothesis("y", ["C"], ["C"]),
    ]
    hyp.write_text("A B\n")
    with pytest.raises(InputError, match=r"b\.trn:1: expected `WORD WORD \(id\)`"):
        read_decode(hyp, ref)


def test_missing_utterances_are_counted_and_some_listed(tmp_path):
    ref, hyp = tmp_path / "a.trn", tmp_path / "b.trn"
    ref.write_text("".join(f"A (u{i})\n" for i in range(9)))
    hyp.write_text("A (u0)\n")
    with pytest.raises(InputError, match=r"b\.trn lacks 8 of 9 .*u5 and others"):
        read_decode(hyp, ref)


def test_missing_utterances_are_empty_on_request(tmp_path, caplog):
    ref = write(tmp_path / "text", "u1 A B\nu2 C\n")
    hyp = write(tmp_path / "hyp", "u1 A\n")
    assert read_decode(hyp, ref, missing_as_empty=True) == SET
    assert "hyp lacks 1 of 2 utterances: u2; they count as empty" in caplog.text


def test_unknown_utterances_are_refused_always(tmp_path):
    ref = write(tmp_path / "text", "u1 A\n")
    hyp = write(tmp_path / "hyp", "u1 A\nx B\n")
    with pytest.raises(InputError, match=r"text lacks 1 of 2 utterances: x; each"):
        read_decode(hyp, ref, missing_as_empty=True)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.jsonl", "", r"a\.jsonl is empty"),
        ("a.trn", "\n \n", r"a\.trn is empty"),
        ("a.jsonl", "{\n", r"a\.jsonl:1: .* is not JSON"),
        ("a.jsonl", '{"id": "u"}\n', r'expected "ref", "hyp" or "text"'),
        ("a.jsonl", '{"ref": "A"}\n', r'expected "id" or "audio_filepath"'),
        ("a.jsonl", '{"id": 1, "ref": 2}\n', r"ref is neither a text nor a list"),
        ("a.jsonl", '{"id": 1, "hyp": "\\ud800"}\n', r"is not JSON .*surrogates"),
        ("a.jsonl", '{"id": 1, "hyp": "", "duration": "x"}\n', r"duration 'x' is not"),
        ("a.jsonl", '{"id": 1, "hyp": "", "duration": NaN}\n', r"duration nan is not"),
        ("a.jsonl", '{"id": 1, "hyp": ""}\n' * 2, r":2: utterance 1 is there twice"),
        ("text", "u A\nu B\n", r"text:2: utterance u is there twice"),
        ("a.trn", "A (u)\nB (u)\n", r"a\.trn:2: utterance u is there twice"),
    ],
)
def test_bad_files_are_named(tmp_path, name, text, message):
    with pytest.raises(InputError, match=message):
        read_decode(write(tmp_path / name, text))


def test_speakers_and_durations_as_kaldi_writes_them(tmp_path):
    speakers = write(tmp_path / "utt2spk", "u1 s1\nu2 s2\nu3 s3\n")
    durations = write(tmp_path / "utt2dur", "u1 1.5\nu2 2\n")
    read = with_durations(with_speakers(SET, speakers), durations)
    assert [(one.speaker, one.duration) for one in read] == [("s1", 1.5), ("s2", 2.0)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("u1 1\n", r"utt2dur lacks 1 of 2 utterances: u2"),
        ("u1 1\nu2 -3\n", r"utt2dur: u2: duration '-3' is not a number of seconds"),
        ("u1\n", r"utt2dur:1: expected `ID VALUE`"),
        ("u1 1\nu1 1\n", r"utt2dur:2: utterance u1 is there twice"),
    ],
)
def test_bad_durations(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        with_durations(SET, write(tmp_path / "utt2dur", text))
