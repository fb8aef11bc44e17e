import csv
import math
from collections import Counter

import pytest
from lhotse import CutSet, MonoCut, Recording, SupervisionSegment
from lhotse.audio import AudioSource

from asrkit.data.report import make_report
from asrkit.text.char import CharTokenizerConfig
from asrkit.utils.errors import InputError

# Pieces: A to H and the space; "ABCD" is 4 tokens.
TOKENIZER = CharTokenizerConfig().train(["A B C D E F G H"])


def make_cut(
    utterance_id,
    text="ABCD",
    duration=2.0,
    speaker="ann",
    rate=16000,
    supervisions=1,
    **custom,
):
    recording = Recording(
        id=utterance_id,
        sources=[AudioSource("file", [0], f"/corpus/{utterance_id}.flac")],
        sampling_rate=rate,
        num_samples=round(duration * rate),
        duration=duration,
    )
    supervision = SupervisionSegment(
        id=utterance_id,
        recording_id=utterance_id,
        start=0.0,
        duration=duration,
        text=text,
        speaker=speaker,
    )
    return MonoCut(
        id=utterance_id,
        start=0.0,
        duration=duration,
        channel=0,
        supervisions=[supervision] * supervisions,
        recording=recording,
        custom=custom or None,
    )


class OnePass:
    """Cuts that can be gone over only once."""

    def __init__(self, cuts):
        self.cuts = list(cuts)

    def __iter__(self):
        cuts, self.cuts = self.cuts, None
        return iter(cuts)


def report_on(options=None, **cuts_by_part):
    parts = {
        part.replace("_", "-"): OnePass(cuts) for part, cuts in cuts_by_part.items()
    }
    return make_report(
        parts,
        {part: part.split("-")[0] for part in parts},
        TOKENIZER,
        frames_of=lambda seconds: math.ceil(seconds * 2),
        subsampling=4,
        **(options or {}),
    )


def clean(part, count=3, **options):
    """Make cuts without problems: own speaker, own sentences."""
    texts = {"train": "AB", "dev": "CD", "test": "EF"}[part]
    return [
        make_cut(f"{part}-{i}", texts * (i + 1), 8.0, f"{part}-speaker", **options)
        for i in range(count)
    ]


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


def bad_cuts():
    return [
        make_cut("empty", ""),
        make_cut("blank", " \t"),
        make_cut("textless", None),
        make_cut("silent", peak=9e-4, clipped=0.0),
        make_cut("quiet", peak=1.1e-3, clipped=0.0),
        make_cut("short", duration=0.9),
        make_cut("shortest", duration=1.0),
        make_cut("longest", duration=20.0),
        make_cut("long", duration=20.1),
        make_cut("foreign", "AÉ ÜÉ"),
        make_cut("dense", "AB" * 21, duration=2.0),
        make_cut("dense-enough", "AB" * 20, duration=2.0),
        make_cut("clipped", peak=1.0, clipped=0.0011),
        make_cut("loud", peak=1.0, clipped=0.0009),
        make_cut("good"),
    ]


LIMITS = {
    "min_duration": 1.0,
    "max_duration_of_utterance": 20.0,
    "max_tokens_per_second": 20.0,
}


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


def warnings_of(report, start):
    return [warning for warning in report.warnings if warning.startswith(start)]


def test_warnings_name_problem_part_count_fate_examples_and_advice():
    train = [*clean("train"), *(make_cut(f"empty-{i}", "") for i in range(5))]
    train += [make_cut("x", "ÜÉ"), make_cut("y", "É", peak=1.0, clipped=0.5)]
    test = [*clean("test"), make_cut("mute", "", peak=0.0, speaker="eve")]
    report = report_on(train=train, dev=[make_cut("d", "É", clipped=0.5)], test=test)
    assert warnings_of(report, "Empty text") == [
        "Empty text: 5 of train left out (empty-0, empty-1, empty-2 and 2 more); "
        "1 of test decoded all the same (mute). Write their transcripts or drop them "
        "from the corpus."
    ]
    (silent,) = warnings_of(report, "Silent audio")
    assert "audio: 1 of test decoded all the same (mute). Listen" in silent
    (lacking,) = warnings_of(report, "Text that the tokenizer lacks")
    assert "lacks (É in 3, Ü in 1): 2 of train left out (x, y); 1 of dev kept" in (
        lacking
    )
    (clipped,) = warnings_of(report, "Clipped audio")
    assert "audio: 1 of dev kept (d). Lower" in clipped


def test_clean_corpus_gives_no_warning():
    parts = {part: clean(part, 4) for part in ("train", "dev", "test")}
    parts["train"] += [make_cut("all", "ABCDEFGH A", 8.0)]
    report = report_on(LIMITS, **parts)
    assert report.warnings == []
    assert report.render().endswith("\n\nNo warnings.\n")


def test_corpus_of_one_speaker_says_so():
    report = report_on(train=[make_cut("a", "A")], test=[make_cut("b", "B")])
    assert warnings_of(report, "The corpus has one speaker, 'ann'")
    assert "one speaker" in report.render()


def test_shared_speakers():
    train = [make_cut("1", "A", speaker="ann"), make_cut("2", "B", speaker="bob")]
    test = [make_cut("3", "C", speaker="bob"), make_cut("4", "D", speaker="cid")]
    report = report_on(
        train=train, train_more=clean("dev"), dev=clean("dev"), test=test
    )
    (of_test,) = warnings_of(report, "test:")
    assert of_test.startswith("test: 1 of 2 speakers are also in train (bob)")
    (of_dev,) = warnings_of(report, "dev:")
    assert of_dev.startswith("dev: 1 of 1 speakers are also in train (dev-speaker)")


def test_nameless_speakers_are_reported():
    report = report_on(
        train=[make_cut("1", "A", speaker=None)], dev=clean("dev"), test=clean("test")
    )
    assert warnings_of(report, "No speakers are named in train, so")
    assert report.parts[0].speakers == 0
    rows = [line.split() for line in report.render().splitlines()[3:5]]
    assert [row[5] for row in rows] == ["?", "1"]


def test_shared_sentences_are_counted():
    train = [make_cut("1", "A  B"), make_cut("2", "C"), make_cut("3", "")]
    texts = ["A B", "A B", "C", "D", "", "E", "F", "G"]
    test = [make_cut(str(i), text, speaker="t") for i, text in enumerate(texts)]
    report = report_on(train=train[:1], train_more=train[1:], test=test)
    (warning,) = warnings_of(report, "test: the sentences")
    assert "of 3 of 8 utterances (37.5 %) are also in train" in warning


def test_mixed_sampling_rates():
    report = report_on(train=clean("train"), test=clean("test", 2, rate=8000))
    assert warnings_of(report, "Several sampling rates (16000 Hz: 3, 8000 Hz: 2)")
    assert "sampling rate: 8000 Hz, 16000 Hz" in report.render()


def test_unused_pieces():
    report = report_on(train=clean("train"), test=clean("test"))
    assert warnings_of(report, "Only 22 % of the tokenizer's pieces occur in train")
    more = report_on(train=clean("train"), train_more=[make_cut("m", "CDEF")])
    assert not warnings_of(more, "Only")


def test_nothing_left_to_train_on():
    report = report_on(train=[make_cut("a", "")], dev=clean("dev"))
    assert report.warnings[0].startswith("train: every utterance is left out")


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
        ([make_cut("u", supervisions=2)], "train", "cut 'u' has 2 supervisions"),
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
