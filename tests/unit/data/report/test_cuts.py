"""Manifests that were made elsewhere: supervisions, text, channels and ids of cuts."""

import pytest
from lhotse import CutSet, SupervisionSegment
from lhotse.cut import MultiCut
from lhotse.utils import fastcopy

from asrkit.data.corpora.manifests import load_cuts, write_manifests
from asrkit.data.report.ids import check_ids
from asrkit.utils.errors import InputError
from tests.unit.data.report.reports import clean, make_cut, report_on


def said(id, start, duration, text="ABCD", channel=0):
    return SupervisionSegment(id, "r", start, duration, channel, text, speaker="ann")


def several():
    pieces = [said("one", 0, 2), said("two", 1.5, 3), said("off", 8, 9)]
    return fastcopy(make_cut("long", duration=10.0), supervisions=pieces)


def warning_on(report, words):
    (found,) = [one for one in report.warnings if words in one]
    return found


@pytest.mark.parametrize("role", ["train", "dev", "test"])
def test_cuts_without_supervision_are_left_out_and_listed(role):
    report = report_on(**{role: [*clean(role), make_cut("bare", supervisions=0)]})
    (row,) = report.left_out
    assert (row.part, row.id, row.source) == (role, "bare", "/corpus/bare.flac")
    assert row.reason.startswith("no supervision")
    assert (report.parts[0].utterances, report.parts[0].left_out) == (3, 1)
    assert "bare" in warning_on(report, "1 cuts are no utterances")


def test_several_supervisions_are_an_utterance_each():
    report = report_on(train=[*clean("train"), several()])
    assert report.parts[0].utterances == 5
    assert report.parts[0].duration_percentiles[0] == 2.0
    assert [row.id for row in report.left_out] == ["off"]
    assert report.left_out[0].reason == (
        "its text is that of 8 to 17 s, its audio that of 0 to 10 s"
    )
    assert "(long)" in warning_on(report, "cuts have several supervisions")
    assert "one with two" in warning_on(report, "supervisions overlap")


def test_training_reads_what_the_report_tells(tmp_path, caplog):
    cuts = [make_cut("bare", supervisions=0), several(), make_cut("good")]
    write_manifests({"train": CutSet.from_cuts(cuts)}, {}, tmp_path, "x")
    for _ in range(2):
        found = list(load_cuts(tmp_path, "train"))
    assert [cut.id for cut in found] == ["good", "one", "two"]
    assert found[2].start == 1.5
    assert "train: 2 cuts are no utterances and are left out" in caplog.text
    assert len(caplog.records) == 3  # told once


@pytest.mark.parametrize(
    ("role", "left_out"), [("train", True), ("dev", True), ("test", False)]
)
def test_text_from_outside_of_the_audio(role, left_out):
    cut = make_cut("half", duration=8.0).truncate(duration=4, preserve_id=True)
    late = make_cut("late", duration=8.0).truncate(offset=4, preserve_id=True)
    report = report_on(**{role: [*clean(role), cut, late]})
    rows = report.left_out if left_out else report.kept
    assert [row.reason for row in rows] == [
        "its text is that of 0 to 8 s, its audio that of 0 to 4 s",
        "its text is that of -4 to 4 s, its audio that of 0 to 4 s",
    ]
    assert "half, late" in warning_on(report, "Text from outside of the audio")


def test_several_channels_are_told():
    stereo = make_cut("stereo", duration=8.0).to_dict() | {"channel": [0, 1]}
    stereo.pop("type")
    cut = fastcopy(
        MultiCut.from_dict(stereo),
        supervisions=[said("stereo", 0, 8, channel=[0, 1])],
        custom={"silent_channels": [1]},
    )
    report = report_on(train=[*clean("train"), cut])
    told = warning_on(report, "Several channels and none named in 1 of 4 utterances")
    assert "channel 1 is silent in 1 (stereo)" in told


def other(cut):
    return fastcopy(cut, start=1.0, duration=cut.duration - 1)


def test_ids_of_several_utterances_are_refused():
    cuts = clean("train")
    for parts in (
        {"train": [*cuts, other(cuts[0])]},
        {"train": cuts, "train-more": [other(cuts[0])]},
        {"train": cuts, "dev": [*clean("dev"), other(cuts[0])]},
        {"test": [*cuts, other(cuts[0])]},
    ):
        with pytest.raises(InputError, match=r"1 ids stand for .*: train-0\. .* again"):
            report_on(**parts)
    with pytest.raises(InputError, match="train-0"):
        check_ids([*cuts, other(cuts[0])], "x")


def test_the_same_utterance_may_be_in_several_parts():
    cuts = clean("train")
    assert len(report_on(train=cuts, dev=cuts[:2], test=[other(cuts[0])]).parts) == 3
