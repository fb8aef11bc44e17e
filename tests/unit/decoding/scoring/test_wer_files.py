"""The files of a decoded set: icefall's layout to the letter, and back again."""

import json

import pytest

from asrkit.decoding.scoring.error_unit import ErrorUnit
from asrkit.decoding.scoring.reading.readers import (
    read_decode,
    with_durations,
    with_speakers,
)
from asrkit.decoding.scoring.score import Hypothesis, score
from asrkit.decoding.scoring.wer_files import (
    log_line,
    read_results,
    results_entry,
    unit_of,
    update_results,
    write_decode_files,
)
from asrkit.utils.errors import InputError

HYPOTHESES = [
    Hypothesis("u2", ["ON", "THE", "MAT"], ["ON", "UH", "THE", "MAT"]),
    Hypothesis("u1", ["THE", "CAT", "SAT"], ["THE", "BAT", "IS", "SAT"]),
    Hypothesis("u3", ["DON'T", "GO", "CAT"], []),
]

ERRS = """\
%WER = 66.67
Errors: 2 insertions, 3 deletions, 1 substitutions, over 9 reference words (5 correct)
Search below for sections starting with PER-UTT DETAILS:, SUBSTITUTIONS:, \
DELETIONS:, INSERTIONS:, PER-WORD STATS:

PER-UTT DETAILS: corr or (ref->hyp)\x20\x20
u1:\tTHE (CAT->BAT IS) SAT
u2:\tON (*->UH) THE MAT
u3:\t(DON'T GO CAT->*)

SUBSTITUTIONS: count ref -> hyp
1   CAT -> {sub}

DELETIONS: count ref
1   GO
1   DON'T
1   CAT

INSERTIONS: count hyp
1   UH
1   {ins}

PER-WORD STATS: word  corr tot_errs count_in_ref count_in_hyp
CAT   0 2 2 0
UH   0 1 0 1
IS   0 1 0 1
GO   0 1 1 0
DON'T   0 1 1 0
BAT   0 1 0 1
THE   2 0 2 2
SAT   1 0 1 1
ON   1 0 1 1
MAT   1 0 1 1
"""


@pytest.fixture
def folder(tmp_path):
    write_decode_files(tmp_path, "test", "greedy", HYPOTHESES, score(HYPOTHESES))
    return tmp_path


def test_every_file_is_there(folder):
    assert sorted(path.name for path in folder.iterdir()) == [
        "errs-test.txt",
        "groups-test.tsv",
        "recogs-test.txt",
        "test.hyp.trn",
        "test.ref.trn",
        "wer-summary-test.txt",
    ]


def test_errs_is_laid_out_as_icefalls(folder):
    text = (folder / "errs-test.txt").read_text()
    # Which of BAT and IS is the insertion is the aligner's choice.
    layouts = [ERRS.format(sub=a, ins=b) for a, b in [("BAT", "IS"), ("IS", "BAT")]]
    assert text in layouts


def test_recogs_lines(folder):
    lines = (folder / "recogs-test.txt").read_text().splitlines()
    assert lines[0] == "u1:\tref=['THE', 'CAT', 'SAT']"
    assert lines[1] == "u1:\thyp=['THE', 'BAT', 'IS', 'SAT']"
    assert lines[4] == """u3:\tref=["DON'T", 'GO', 'CAT']"""
    assert lines[5] == "u3:\thyp=[]"


def test_recogs_and_trn_read_back(folder):
    expected = sorted(HYPOTHESES, key=lambda one: one.id)
    assert read_decode(folder / "recogs-test.txt") == expected
    trn = read_decode(folder / "test.hyp.trn", folder / "test.ref.trn")
    assert trn == expected


def test_trn_lines(folder):
    assert (folder / "test.hyp.trn").read_text().splitlines() == [
        "THE BAT IS SAT (u1)",
        "ON UH THE MAT (u2)",
        "(u3)",
    ]


def test_summary(folder):
    text = (folder / "wer-summary-test.txt").read_text()
    assert text == "settings\tWER\ngreedy\t66.67\n"


def test_words_with_odd_characters_survive(tmp_path):
    odd = [Hypothesis("a:b", ["é\u2028ß", "it's", '"q"', "[x]"], ["(n)", "*", "\\"])]
    write_decode_files(tmp_path, "s", "m", odd, score(odd))
    assert read_decode(tmp_path / "recogs-s.txt") == odd


def test_speakers_and_durations_read_back(tmp_path):
    known = [
        Hypothesis("u1", ["A"], ["A"], "Ann Lee", 1.25),
        Hypothesis("u2", ["B"], [], "Bob", 2.0),
    ]
    write_decode_files(tmp_path, "s", "m", known, score(known))
    assert (tmp_path / "s.utt2spk").read_text() == "u1\tAnn Lee\nu2\tBob\n"
    read = read_decode(tmp_path / "recogs-s.txt")
    read = with_speakers(read, tmp_path / "s.utt2spk")
    assert with_durations(read, tmp_path / "s.utt2dur") == known


def test_groups(folder):
    assert (folder / "groups-test.tsv").read_text().splitlines() == [
        "aspect\tgroup\tutterances\twords\tins\tdel\tsub\tWER",
        "words\t3-5\t3\t9\t2\t3\t1\t66.67",
    ]


def test_log_line():
    result = score([Hypothesis("u", ["A"] * 50, ["A"] * 48 + ["B"])])
    line = "[dev-greedy] %WER 4.00% [2 / 50, 0 ins, 1 del, 1 sub ] 95% CI [4.00, 4.00]"
    assert log_line("dev", "greedy", result) == line
    assert log_line("dev", "greedy", result, 123.4) == f"{line} RTFx 123"
    assert log_line("dev", "greedy", result, 0.52) == f"{line} RTFx 0.5"
    expected = f"{line} RTFx 0.5 memory 813 MiB"
    assert log_line("dev", "greedy", result, 0.52, 812.6) == expected
    entry = results_entry("dev", "greedy", result, 0.52, 812.61)
    assert entry["memory_mib"] == 812.6


def test_results_replace_the_same_set_and_method_only(tmp_path):
    path = tmp_path / "results.json"
    result = score(HYPOTHESES)
    for set_name, method, rtfx in [
        ("dev", "greedy", 1.0),
        ("test", "greedy", 2.0),
        ("test", "beam", 3.0),
        ("test", "greedy", 4.0),
    ]:
        update_results(path, results_entry(set_name, method, result, rtfx))
    found = [(one["set"], one["method"], one["rtfx"]) for one in read_results(path)]
    assert found == [
        ("dev", "greedy", 1.0),
        ("test", "greedy", 4.0),
        ("test", "beam", 3.0),
    ]
    entry = json.loads(path.read_text())[0]
    low, high = entry.pop("ci95")
    assert entry.pop("cer") == pytest.approx(result.cer, abs=1e-4)
    assert low <= entry["wer"] <= high
    assert entry == {
        "set": "dev",
        "method": "greedy",
        "wer": 66.6667,
        "errors": 6,
        "words": 9,
        "ins": 2,
        "del": 3,
        "sub": 1,
        "ci95_over": "utterances",
        "rtfx": 1.0,
        "utterances": 3,
        "empty": 1,
    }


@pytest.mark.parametrize("text", ["{", "[1]", "7", '[{"set": "dev"}]'])
def test_results_of_another_form(tmp_path, text):
    path = tmp_path / "results.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"results\.json is not a list of results"):
        update_results(path, {"set": "dev", "method": "greedy"})
    assert path.read_text() == text


def test_files_name_characters(tmp_path):
    texts = [Hypothesis("u", ["今天", "天气"], ["今天气"], None, 1.0)]
    result = score(texts, ErrorUnit.CHARACTER)
    write_decode_files(tmp_path, "test", "greedy", texts, result)
    assert log_line("test", "greedy", result).startswith(
        "[test-greedy] %CER 25.00% [1 / 4, 0 ins, 1 del, 0 sub ]"
    )
    assert (tmp_path / "cer-summary-test.txt").read_text() == (
        "settings\tCER\ngreedy\t25.00\n"
    )
    assert (tmp_path / "groups-test.tsv").read_text().splitlines() == [
        "aspect\tgroup\tutterances\tcharacters\tins\tdel\tsub\tCER",
        "duration\t< 2 s\t1\t4\t0\t1\t0\t25.00",
        "rate\t4-5\t1\t4\t0\t1\t0\t25.00",
        "characters\t1-5\t1\t4\t0\t1\t0\t25.00",
    ]
    errs = (tmp_path / "errs-test.txt").read_text()
    assert errs.startswith("%CER = 25.00\n")
    assert "over 4 reference characters (3 correct)" in errs
    assert "\n1   天\n" in errs
    # The texts stay as they are: what is counted may be chosen anew.
    assert read_decode(tmp_path / "recogs-test.txt")[0].ref == ["今天", "天气"]
    entry = results_entry("test", "greedy", result, 1.0)
    assert (entry["cer"], entry["characters"], entry["unit"]) == (25, 4, "character")
    assert not {"wer", "words"} & entry.keys()
    assert unit_of(entry) is ErrorUnit.CHARACTER
    words = results_entry("test", "greedy", score(texts), 1.0)
    assert "unit" not in words
    assert unit_of(words) is ErrorUnit.WORD
