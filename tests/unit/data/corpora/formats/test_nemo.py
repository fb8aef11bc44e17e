"""NeMo manifests, and its tarred datasets."""

import json
import tarfile

import pytest

from tests.unit.data.corpora.formats.reading import facts, read, reasons, tone


def write(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize("name", ["train.json", "train_manifest.jsonl"])
def test_manifest(tmp_path, name):
    """As in NeMo's documentation: offset and duration in seconds."""
    tone(tmp_path / "wav" / "call.wav", 3.0)
    path = write(
        tmp_path / name,
        {"audio_filepath": "wav/call.wav", "duration": 3.0, "text": "all of it"},
        {
            "audio_filepath": str(tmp_path / "wav" / "call.wav"),
            "offset": 1.5,
            "duration": 1.0,
            "text": "a piece",
            "speaker": "ann",
            "pred_text": "a peace",
        },
        {"audio_filepath": "wav/call.wav", "offset": 2.5, "duration": 1, "text": "far"},
        {"audio_filepath": "wav/call.wav", "duration": 3.0},
    )
    cuts, left_out = read(path)
    assert facts(cuts) == [
        ("call-part-1", 0.0, 3.0, "all of it", None),
        ("call-part-2", 1.5, 1.0, "a piece", "ann"),
    ]
    found = reasons(left_out)
    assert "from 2.5 to 3.5 s" in found["call-part-3"]
    assert found[f"{path.stem}-4"].startswith("lacks text; it has audio_filepath, dur")


@pytest.fixture
def tarred(tmp_path):
    """What convert_to_tarred_audio_dataset.py writes.

    A recording that comes again gets -subN in the manifest and is in the tar once; with
    --force_codec the tar's names have another suffix than the manifest's.
    """
    out = tmp_path / "tarred"
    out.mkdir()
    for shard, names in enumerate((["a_b.wav", "c.wav"], ["d.flac"])):
        with tarfile.open(out / f"audio_{shard}.tar", "w") as tar:
            for name in names:
                tar.add(tone(tmp_path / name, 2.0), arcname=name)
    rows = [
        {"audio_filepath": "a_b.wav", "duration": 1, "text": "one", "shard_id": 0},
        {
            "audio_filepath": "a_b-sub1.wav",
            "offset": 1.0,
            "duration": 1.0,
            "text": "two",
            "shard_id": 0,
        },
        {"audio_filepath": "d.wav", "duration": 2.0, "text": "three", "shard_id": 1},
        {"audio_filepath": "e.wav", "duration": 2.0, "text": "four", "shard_id": 1},
        {"audio_filepath": "e.wav", "duration": 2.0, "text": "five", "shard_id": 2},
    ]
    write(out / "tarred_audio_manifest.json", *rows)
    (out / "sharded_manifests").mkdir()
    write(out / "sharded_manifests" / "manifest_1.json", rows[2])
    return out


def test_tarred(tarred, tmp_path):
    for _ in range(2):  # the second time from what is unpacked
        cuts, left_out = read(tarred, out=tmp_path / "out")
        assert facts(cuts) == [
            ("a_b-part-1", 0.0, 1.0, "one", None),
            ("a_b-sub1-part-2", 1.0, 1.0, "two", None),
            ("d-part-3", 0.0, 2.0, "three", None),
        ]
        assert [row.reason.rpartition("/")[2] for row in left_out] == [
            "audio_1.tar holds no e.wav",
            "no audio_2.tar beside the manifest or above it",
        ]
    unpacked = {path.name for path in (tmp_path / "out" / "part").glob("audio_*/*")}
    assert unpacked == {"a_b.wav", "c.wav", "d.flac"}


def test_a_manifest_of_one_shard(tarred, tmp_path):
    path = tarred / "sharded_manifests" / "manifest_1.json"
    cuts, left_out = read(path, out=tmp_path / "out")
    assert left_out == []
    assert [text for _, _, _, text, _ in facts(cuts)] == ["three"]


def test_a_damaged_tar(tarred, tmp_path):
    (tarred / "audio_0.tar").write_bytes(b"no tar")
    cuts, left_out = read(tarred, out=tmp_path / "out")
    assert [text for _, _, _, text, _ in facts(cuts)] == ["three"]
    assert sum("audio_0.tar cannot be unpacked" in row.reason for row in left_out) == 2
