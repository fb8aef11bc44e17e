"""Manifests on disk."""

import numpy as np
import pytest
import soundfile
from lhotse import CutSet

from asrkit.data.corpora.manifests import (
    left_out_path,
    list_parts,
    load_cuts,
    manifest_path,
    write_manifests,
    write_part,
)
from asrkit.data.corpora.scan import Utterance, scan
from asrkit.data.left_out import LeftOut
from asrkit.utils.errors import InputError


@pytest.fixture
def cuts(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, np.full(1600, 0.1), 16000)
    utterances = [Utterance(id=id, path=path, text="ÄÖ") for id in "abc"]
    return scan(utterances, name="x")[0]


ROW = LeftOut("u", "/a/b.wav", "two\tlines\nof reason")


def test_round_trip(cuts, tmp_path):
    write_manifests({"dev": cuts, "train-x": cuts}, {"dev": [ROW]}, tmp_path)
    assert list_parts(tmp_path) == ["dev", "train-x"]
    assert list(load_cuts(tmp_path, "train-x")) == list(cuts)
    # The name and the format are icefall's: lhotse reads them without asrkit.
    reread = CutSet.from_file(tmp_path / "librispeech_cuts_dev.jsonl.gz")
    assert list(reread) == list(cuts)


def test_names_begin_with_the_corpus(cuts, tmp_path):
    write_manifests({"dev": cuts}, {}, tmp_path, "calls")
    assert (tmp_path / "calls_cuts_dev.jsonl.gz").is_file()
    # One that is not there yet is called as the others are, and found as they are.
    assert manifest_path(tmp_path, "test").name == "calls_cuts_test.jsonl.gz"
    # A part has one manifest: under the name that it has.
    write_manifests({"dev": cuts, "test": cuts}, {}, tmp_path, "other")
    names = sorted(path.name for path in tmp_path.glob("*.gz"))
    assert names == ["calls_cuts_dev.jsonl.gz", "other_cuts_test.jsonl.gz"]
    assert list_parts(tmp_path) == ["dev", "test"]
    assert list(load_cuts(tmp_path, "test")) == list(cuts)


def test_two_manifests_of_a_part(cuts, tmp_path):
    write_manifests({"dev": cuts}, {}, tmp_path)
    manifest_path(tmp_path, "dev").rename(tmp_path / "calls_cuts_dev.jsonl.gz")
    write_manifests({"train-dev": cuts}, {}, tmp_path, "librispeech")
    load_cuts(tmp_path, "dev")
    (tmp_path / "librispeech_cuts_dev.jsonl.gz").write_bytes(b"")
    with pytest.raises(InputError, match=r"calls_cuts_dev.*librispeech_cuts_dev.*both"):
        load_cuts(tmp_path, "dev")


def test_same_bytes_whatever_the_order(cuts, tmp_path):
    backwards = CutSet.from_cuts(reversed(list(cuts)))
    write_manifests({"dev": cuts}, {}, tmp_path / "one")
    write_manifests({"dev": backwards}, {}, tmp_path / "two")
    one, two = (manifest_path(tmp_path / name, "dev") for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()
    assert one.read_bytes()[4:8] == bytes(4)  # gzip's time stamp


def test_list_of_what_was_left_out(cuts, tmp_path):
    path = left_out_path(tmp_path, "dev")
    write_manifests({"dev": cuts}, {"dev": [ROW]}, tmp_path)
    assert path.name == "left_out_dev.tsv"
    assert path.read_text().splitlines() == [
        "id\tpath\treason",
        "u\t/a/b.wav\ttwo lines of reason",
    ]
    write_manifests({"dev": cuts}, {}, tmp_path)
    assert not path.exists()


def test_missing_manifest(cuts, tmp_path):
    write_manifests({"dev": cuts}, {}, tmp_path)
    with pytest.raises(InputError, match=r"parts there: dev.*scripts/prepare\.py"):
        load_cuts(tmp_path, "test")
    with pytest.raises(InputError, match="parts there: none"):
        load_cuts(tmp_path / "nowhere", "test")


def test_summary(cuts, tmp_path):
    line = write_part("dev", cuts, [ROW], tmp_path)
    assert line.startswith("dev: 3 utterances, 0.00 h; 1 left out (1: two lines of ")
    assert str(manifest_path(tmp_path, "dev")) in line
    assert str(left_out_path(tmp_path, "dev")) in line


def test_no_cut_at_all(tmp_path):
    with pytest.raises(InputError, match=r"1 left out.*left_out_dev.*/a/b\.wav"):
        write_part("dev", CutSet.from_cuts([]), [ROW], tmp_path)
    assert left_out_path(tmp_path, "dev").exists()


def test_the_summary_says_the_most_frequent_reasons(cuts, tmp_path):
    reasons = ["no such file"] * 3
    reasons += [f"segment from {i}.5 to 7 s passes the end" for i in range(4)]
    reasons += ["empty: no samples", "lacks text", "lacks audio"]
    rows = [LeftOut(str(i), "x", reason) for i, reason in enumerate(reasons)]
    line = write_part("dev", cuts, rows, tmp_path)
    assert (
        "10 left out (4: segment from 0.5 to 7 s passes the end; 3: no such file; "
        "1: empty: no samples; 2: other reasons), listed in "
    ) in line
