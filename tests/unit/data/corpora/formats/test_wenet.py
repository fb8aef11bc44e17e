"""WeNet's lists: raw (tools/make_raw_list.py) and of shards (make_shard_list.py)."""

import io
import json
import tarfile

from tests.unit.data.corpora.formats.reading import facts, read, reasons, tone


def test_raw(tmp_path):
    tone(tmp_path / "wav" / "a.wav", 3.0)
    rows = [
        {"key": "utt1", "wav": "wav/a.wav", "txt": "ALL"},
        {"key": "utt2", "wav": "wav/a.wav", "txt": "PIECE", "start": 0.5, "end": 2.0},
        {"key": "utt3", "wav": "wav/a.wav", "txt": "FAR", "start": 2.0, "end": 4.0},
    ]
    (tmp_path / "train").mkdir()
    path = tmp_path / "train" / "data.list"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    for place in (path, tmp_path / "train"):
        cuts, left_out = read(place, out=tmp_path / "out")
        assert facts(cuts) == [
            ("utt1", 0.0, 3.0, "ALL", None),
            ("utt2", 0.5, 1.5, "PIECE", None),
        ]
        assert "from 2 to 4 s" in reasons(left_out)["utt3"]


def test_shards(tmp_path):
    shard = tmp_path / "shards_000.tar"
    with tarfile.open(shard, "w") as tar:
        for key, text in (("u1", "ONE\n"), ("u2", None), ("u3", "THREE")):
            if text is not None:
                entry = tarfile.TarInfo(f"{key}.txt")
                entry.size = len(text)
                tar.addfile(entry, io.BytesIO(text.encode()))
            if key != "u3":
                tar.add(tone(tmp_path / f"{key}.wav", 1.0), arcname=f"{key}.wav")
    path = tmp_path / "data.list"
    path.write_text(f"{shard}\n{tmp_path}/gone.tar\n")
    cuts, left_out = read(path)
    assert facts(cuts) == [("u1", 0.0, 1.0, "ONE", None)]
    assert reasons(left_out) == {
        "gone": f"no such file: {tmp_path}/gone.tar",
        "u2": "no u2.txt beside u2.wav",
        "u3": "no recording beside u3.txt",
    }
