"""What names of files and folders tell."""

from pathlib import Path

import pytest

from asrkit.data.corpora.parts import kind_of, part_name, part_order


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("train", "train train-clean-100 trainother train_si284 swbd_train TRAIN tr"),
        ("dev", "dev dev-other valid validation val cv_dev train_dev test_dev93 devel"),
        ("test", "test test-clean eval2000 test_eval92 evaluation an4.test testset"),
        (None, "tset validated invalidated other extra lang local manifests trend"),
    ],
)
def test_kinds(kind, names):
    """Names of LibriSpeech, WSJ, Switchboard, TED-LIUM, Common Voice and ESPnet."""
    assert {name: kind_of(name) for name in names.split()} == dict.fromkeys(
        names.split(), kind
    )


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("train.tsv", "train"),
        ("librispeech_cuts_train-clean-100.jsonl.gz", "train-clean-100"),
        ("cv-en_recordings_dev.jsonl.gz", "dev"),
        ("supervisions_test.jsonl", "test"),
        ("train-cuts.jsonl.gz", "train"),
        ("train_manifest.json", "train"),
        ("swbd_train_cuts_sp.jsonl.gz", "swbd_train"),
        ("my train set.csv", "my-train-set"),
    ],
)
def test_names_of_parts(file, name):
    assert part_name(Path(file)) == name


def test_name_of_a_folder(tmp_path):
    folder = tmp_path / "train.v1"
    folder.mkdir()
    assert part_name(folder) == "train.v1"


def test_order():
    names = ["test", "extra", "dev-b", "train", "dev-a"]
    ordered = ["train", "dev-a", "dev-b", "test", "extra"]
    assert sorted(names, key=part_order) == ordered
