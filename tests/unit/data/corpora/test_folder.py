"""Folders that hold the parts of a corpus."""

import json
import logging

import pytest

from asrkit.data.corpora.folder import find_source, find_sources
from asrkit.utils.errors import InputError

TABLE = "audio,text\na.wav,A\n"
NEMO = json.dumps({"audio_filepath": "a.wav", "duration": 1.0, "text": "A"}) + "\n"
WENET = json.dumps({"key": "a", "wav": "a.wav", "txt": "A"}) + "\n"
COMMON_VOICE = "client_id\tpath\tsentence\n"
CUT = json.dumps({"id": "a", "type": "MonoCut"}) + "\n"
RECORDING = json.dumps({"id": "a", "sources": [], "sampling_rate": 8000}) + "\n"
SUPERVISION = json.dumps({"id": "a", "recording_id": "a", "start": 0}) + "\n"


def write(folder, files):
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


PAIR = {"x_recordings_{}.jsonl": RECORDING, "x_supervisions_{}.jsonl": SUPERVISION}


@pytest.mark.parametrize(
    ("format", "files", "parts"),
    [
        ("librispeech", {"{}/1/2/1-2.trans.txt": ""}, "train-a dev test"),
        ("kaldi", {"{}/wav.scp": ""}, "train_nodup train_dev eval2000"),
        ("nemo", {"{}_manifest.json": NEMO}, "train valid test"),
        ("nemo", {"{}/tarred_audio_manifest.json": NEMO}, "train dev"),
        ("wenet", {"{}/data.list": WENET}, "train dev test"),
        ("common_voice", {"{}.tsv": COMMON_VOICE}, "train dev test"),
        ("table", {"{}.csv": TABLE}, "train dev test"),
        ("table", {"{}/metadata.csv": TABLE}, "train validation test"),
        ("lhotse", {"x_cuts_{}.jsonl": CUT}, "train dev-a test"),
        ("lhotse", PAIR, "train dev test"),
    ],
)
def test_layouts(tmp_path, format, files, parts):
    for part in parts.split():
        write(tmp_path, {name.format(part): text for name, text in files.items()})
    sources = find_sources(tmp_path)
    assert list(sources) == parts.split()
    assert {source.format.name for source in sources.values()} == {format}


def test_audio_beside_a_list_is_not_opened(tmp_path):
    """As in Hugging Face's audio folders."""
    files = {f"train/{i}.wav": NEMO for i in range(9)}
    write(tmp_path, {"train/metadata.csv": TABLE, **files})
    assert find_sources(tmp_path)["train"].path.name == "metadata.csv"


def test_order_and_what_is_left_aside(tmp_path, caplog):
    parts = ("test", "dev", "train", "validated", "invalidated")
    write(tmp_path, {f"{part}.tsv": COMMON_VOICE for part in parts})
    write(tmp_path, {"README.md": "x", "clips/a.mp3": "", ".train.csv": TABLE})
    with caplog.at_level(logging.WARNING):
        assert list(find_sources(tmp_path)) == ["train", "dev", "test"]
    assert caplog.text.rstrip().endswith("copy: invalidated.tsv, validated.tsv")


def test_copies_of_a_part_are_left_aside(tmp_path, caplog):
    """Kaldi keeps train_sp and train_hires beside train, ESPnet train_sp alone."""
    names = ("train", "train_sp", "train_hires", "dev_sp")
    write(tmp_path, {f"{name}/wav.scp": "" for name in names})
    assert list(find_sources(tmp_path)) == ["train", "dev_sp"]
    assert "train_hires, train_sp" in caplog.text


def test_cuts_are_taken_before_recordings(tmp_path):
    kinds = {"cuts": CUT, "recordings": RECORDING, "supervisions": SUPERVISION}
    write(tmp_path, {f"x_{k}_train.jsonl": text for k, text in kinds.items()})
    (source,) = find_sources(tmp_path).values()
    assert source.path.name == "x_cuts_train.jsonl"


def test_two_lists_of_one_part(tmp_path):
    write(tmp_path, {"train.csv": TABLE, "train.json": NEMO})
    with pytest.raises(
        InputError, match=r"train\.csv and train\.json are both of part"
    ):
        find_sources(tmp_path)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"audio/a.wav": ""}, r"holds no corpus: .*wav\.scp.*there are: audio\."),
        ({"wav.scp": ""}, r"is one part \(a Kaldi data directory.*the folder that it"),
        ({"data/train/wav.scp": ""}, r"there are: data\. Is .*/data meant\?"),
        ({"train.txt": "a.wav A\n", "config_train.json": "{}"}, "holds no corpus"),
        ({"train.json": '{"path": "x", "file": "y"}'}, "holds no corpus"),
    ],
)
def test_folders_without_a_part(tmp_path, files, message):
    write(tmp_path, files)
    with pytest.raises(InputError, match=message):
        find_sources(tmp_path)


def test_a_missing_folder(tmp_path):
    with pytest.raises(InputError, match="nowhere: no such folder"):
        find_sources(tmp_path / "nowhere")


def test_a_folder_that_is_one_part_or_several(tmp_path):
    write(tmp_path, {"one/data.list": WENET, "several/train.csv": TABLE})
    assert find_source(tmp_path / "one").path.name == "data.list"
    assert find_source(tmp_path / "several") is None
    assert find_source(tmp_path / "one" / "data.list").format.name == "wenet"
