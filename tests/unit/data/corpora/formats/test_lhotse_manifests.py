"""Lhotse's manifests under any name; what is right is what Lhotse wrote."""

import gzip
import json

import pytest
from lhotse import CutSet, Recording, RecordingSet, SupervisionSegment, SupervisionSet
from lhotse.recipes import prepare_librispeech

from asrkit.utils.errors import InputError
from tests.unit.data.corpora.formats.reading import facts, read, reasons, tone


def said(id, recording, start, duration, text="A"):
    return SupervisionSegment(
        id, recording, start, duration, text=text, speaker="ann", channel=0
    )


@pytest.fixture
def recordings(tmp_path):
    return RecordingSet.from_recordings(
        Recording.from_file(tone(tmp_path / "wav" / f"{id}.wav", seconds))
        for id, seconds in (("r1", 10.0), ("r2", 2.0))
    )


@pytest.fixture
def cuts(recordings):
    supervisions = [said("s1", "r1", 0, 10), said("s2", "r2", 0, 2, "B C")]
    made = CutSet.from_manifests(recordings, SupervisionSet.from_segments(supervisions))
    return CutSet.from_cuts(cut.with_id(cut.supervisions[0].id) for cut in made)


EXPECTED = [("s1", 0.0, 10.0, "A", "ann"), ("s2", 0.0, 2.0, "B C", "ann")]


@pytest.mark.parametrize(
    "name",
    ["x_cuts_train.jsonl.gz", "train.jsonl", "cuts.json", "my.train.cuts.jsonl.gz"],
)
def test_cut_sets_under_any_name(cuts, tmp_path, name):
    cuts.to_file(tmp_path / name)
    found, left_out = read(tmp_path / name)
    assert left_out == []
    assert facts(found) == EXPECTED


def test_line_breaks_do_not_come_into_a_transcript(cuts, tmp_path):
    plain, other = list(cuts)
    for cut, text in ((plain, "A\nB"), (other, "C\r\n D ")):
        cut.supervisions[0].text = text
    mixed = other.pad(3.0, preserve_id=True)
    CutSet.from_cuts([plain, mixed]).to_file(tmp_path / "train.jsonl")
    found, _ = read(tmp_path / "train.jsonl")
    assert [cut.supervisions[0].text for cut in found] == ["A B", "C D"]


def test_lines_that_are_no_cuts(cuts, tmp_path):
    path = tmp_path / "train.jsonl.gz"
    cuts.to_file(path)
    text = gzip.decompress(path.read_bytes()).decode()
    path.write_bytes(
        gzip.compress(f'{text}{{"id": "x", "type": "XCut"}}\nno\n'.encode())
    )
    found, left_out = read(path)
    assert facts(found) == EXPECTED
    assert [row.path for row in left_out] == [f"{path}:3", f"{path}:4"]
    assert "XCut" in left_out[0].reason


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("x_recordings_train.jsonl.gz", "x_supervisions_train.jsonl.gz"),
        ("recordings.json", "supervisions.json"),
    ],
)
def test_recordings_and_supervisions(recordings, tmp_path, first, second):
    """Text beyond the audio and supervisions without recording are left out."""
    supervisions = SupervisionSet.from_segments(
        [
            said("s1", "r1", 1, 2.5),
            said("s2", "r1", 3, 4, "B"),
            said("s3", "r1", 8, 4),
            said("s4", "r2", 0, 2),
            said("s5", "r9", 0, 2),
        ]
    )
    recordings.to_file(tmp_path / first)
    supervisions.to_file(tmp_path / second)
    for path in (tmp_path / first, tmp_path / second):
        found, left_out = read(path)
        assert facts(found) == [
            ("s1", 1.0, 2.5, "A", "ann"),
            ("s2", 3.0, 4.0, "B", "ann"),
            ("s4", 0.0, 2.0, "A", "ann"),
        ]
        why = reasons(left_out)
        assert why.keys() == {"s3", "s5"}
        assert "8 to 12 s" in why["s3"]
        assert why["s5"] == f"no recording r9 in {first}"


def test_recordings_alone(recordings, tmp_path):
    recordings.to_file(tmp_path / "x_recordings_train.jsonl")
    with pytest.raises(InputError, match=r"looked for x_supervisions_train\.jsonl"):
        read(tmp_path / "x_recordings_train.jsonl")


def test_what_lhotse_prepare_writes(tmp_path):
    """The manifests of `lhotse prepare librispeech`."""
    chapter = tmp_path / "corpus" / "dev-clean" / "1" / "2"
    tone(chapter / "1-2-0000.flac", 1.0, rate=16000)
    (chapter / "1-2.trans.txt").write_text("1-2-0000 A B\n")
    out = tmp_path / "manifests"
    prepare_librispeech(tmp_path / "corpus", "dev-clean", output_dir=out)
    found, left_out = read(out / "librispeech_recordings_dev-clean.jsonl.gz")
    assert left_out == []
    assert facts(found) == [("1-2-0000", 0.0, 1.0, "A B", "1")]


def test_recordings_named_from_a_folder_above(cuts, tmp_path):
    """Lhotse takes such names from where the program runs."""
    folder = tmp_path / "data" / "manifests"
    folder.mkdir(parents=True)
    rows = [json.dumps(cut.to_dict()).replace(f"{tmp_path}/", "") for cut in cuts]
    (folder / "train.jsonl").write_text("\n".join(rows))
    found, left_out = read(folder / "train.jsonl")
    assert left_out == []
    assert facts(found) == EXPECTED
    assert found["s2"].recording.sources[0].source == str(tmp_path / "wav" / "r2.wav")


def test_commands_are_refused(cuts, tmp_path):
    row = next(iter(cuts)).to_dict()
    row["recording"]["sources"][0] |= {"type": "command", "source": "touch ran"}
    (tmp_path / "train.jsonl").write_text(json.dumps(row))
    found, (left,) = read(tmp_path / "train.jsonl")
    assert len(found) == 0
    assert "command" in left.reason
    assert not (tmp_path / "ran").exists()
