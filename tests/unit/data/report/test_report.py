"""The data report: its numbers, its page and its files."""

import csv
import math
from collections import Counter

import pytest
from lhotse import CutSet

from asrkit.data.report.report import make_report
from asrkit.utils.errors import InputError
from tests.unit.data.report.reports import (
    LIMITS,
    TOKENIZER,
    bad_cuts,
    clean,
    make_cut,
    report_on,
)


def test_numbers_of_a_part():
    cuts = [
        make_cut("a", "ABAB", 2.0, "ann"),
        make_cut("b", "AAAAAA", 4.0, "bob"),
        make_cut("c", "C", 3.0, "ann", rate=8000),
    ]
    (part,) = report_on(train=cuts).parts
    assert (part.part, part.role.value) == ("train", "train")
    assert part.utterances == 3
    assert part.hours == pytest.approx(9 / 3600)
    assert part.speakers == 2
    assert part.tokens == 11
    assert part.vocabulary_coverage == pytest.approx(3 / 9)
    assert part.sampling_rates == {16000: 2, 8000: 1}
    assert part.duration_percentiles[50] == 3.0
    assert part.duration_percentiles[100] == 4.0
    assert part.rate_percentiles[0] == pytest.approx(1 / 3)
    assert part.rate_percentiles[50] == pytest.approx(1.5)


def test_histograms_count_every_utterance_in_its_bin():
    durations = [0.25 * i + 1 for i in range(60)] + [300.0]
    cuts = [make_cut(str(i), "A", duration) for i, duration in enumerate(durations)]
    dev = [make_cut("d", "A", 5.0)]
    train, dev = report_on(train=cuts, dev=dev).parts
    edges, counts = train.duration_histogram.edges, train.duration_histogram.counts
    assert edges == dev.duration_histogram.edges
    assert 5 <= len(counts) == len(edges) + 1 <= 10
    expected = Counter(
        sum(edge <= duration for edge in edges) for duration in durations
    )
    assert counts == [expected[index] for index in range(len(counts))]


@pytest.mark.parametrize("spread", [0.0, 0.01, 0.3, 1.0, 7.0, 33.0, 900.0])
def test_bins_are_few_whatever_the_range(spread):
    cuts = [make_cut(str(i), "A", 1 + spread * i / 50) for i in range(51)]
    report = report_on(train=cuts)
    for histogram in (
        report.parts[0].duration_histogram,
        report.parts[0].rate_histogram,
    ):
        assert 2 <= len(histogram.counts) <= 10
        assert sum(histogram.counts) == 51
    assert max(map(len, report.render().splitlines())) <= 80


def test_page():
    train = [*clean("train", 8), make_cut("a", "A", 0.7)]
    train_more = [make_cut(f"m-{i}", "ABCDEFGH", 4.0) for i in range(9)]
    page = report_on(
        train=train, train_with_a_very_long_name=train_more, test=clean("test")
    ).render()
    lines = page.splitlines()
    assert max(map(len, lines)) <= 80
    rows = [line.split() for line in lines if line.startswith("train")]
    assert rows[0] == ["train", "train", "9", "0", "0.02", "2", "73", "22", "%"]
    assert rows[1][0] == "train-with-a-ve…"
    assert "  0.7   3.6   8.0   8.0   8.0" in page


def histogram_rows(page, heading):
    """Return bar lengths and shares of each line of the histogram of seconds."""
    lines = page.partition(f"\n{heading}\n")[2].partition("\n\n")[0].splitlines()
    return [
        [
            (column.count("█"), float(column[-5:]))
            for column in line[13:].split(" %")[:-1]
        ]
        for line in lines
    ]


def test_bars_are_as_long_as_their_shares():
    cuts = [make_cut(str(i), "A", 1.0) for i in range(30)]
    cuts += [make_cut(str(i), "A", 9.0) for i in range(30, 40)]
    rows = histogram_rows(report_on(train=cuts).render(), "seconds      train")
    assert sorted(rows)[-2:] == [[(4, 25.0)], [(13, 75.0)]]
    assert all(row == [(0, 0.0)] for row in sorted(rows)[:-2])


def test_histograms_pool_the_parts_of_a_role():
    train = [make_cut("a", "A", 1.0)]
    more = [make_cut(str(i), "A", 9.0) for i in range(3)]
    test = [make_cut("t", "A", 1.0)]
    page = report_on(train=train, test=test, train_more=more).render()
    rows = histogram_rows(page, f"seconds      {'train':<22}test")
    assert sorted(rows)[-2:] == [[(3, 25.0), (13, 100.0)], [(9, 75.0), (0, 0.0)]]


def test_files(tmp_path):
    report = report_on(LIMITS, train=bad_cuts())
    report.write(tmp_path)
    assert (tmp_path / "data_report.txt").read_text() == report.render()
    for name, found in (
        ("left_out.tsv", report.left_out),
        ("kept_with_problems.tsv", report.kept),
    ):
        with open(tmp_path / name, newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t"))
        assert rows == [
            {"part": u.part, "id": u.id, "source": u.source, "reason": u.reason}
            for u in found
        ]
        assert rows[0]["source"] == f"/corpus/{rows[0]['id']}.flac"


def test_tables_have_a_line_an_utterance(tmp_path):
    report = report_on(train=[make_cut("a\tb\nc", "")])
    report.write(tmp_path)
    assert (tmp_path / "left_out.tsv").read_text().splitlines() == [
        "part\tid\tsource\treason",
        "train\ta b c\t/corpus/a b c.flac\tempty text",
    ]


def test_lazy_manifest(tmp_path):
    path = tmp_path / "cuts.jsonl.gz"
    CutSet.from_cuts(bad_cuts()).to_file(path)
    lazy = make_report(
        {"train": CutSet.from_jsonl_lazy(path)},
        {"train": "train"},
        TOKENIZER,
        frames_of=lambda seconds: math.ceil(seconds * 2),
        subsampling=4,
        **LIMITS,
    )
    assert lazy == report_on(LIMITS, train=bad_cuts())


@pytest.mark.parametrize(
    ("cuts", "role", "message"),
    [
        ([], "train", "part 'train' has no utterances"),
        ([make_cut("u", supervisions=0)], "train", "part 'train' has no utterances"),
        ([make_cut("u")], "valid", "part 'train' has the role 'valid'; use one of"),
        ([make_cut("u")], None, "part 'train' has the role None"),
    ],
)
def test_bad_input(cuts, role, message):
    with pytest.raises(InputError, match=message):
        make_report(
            {"train": cuts},
            {"train": role} if role else {},
            TOKENIZER,
            frames_of=lambda seconds: 1,
            subsampling=4,
        )
