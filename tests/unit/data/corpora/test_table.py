"""A user's own table."""

import json

import numpy as np
import pytest
import soundfile

from asrkit.data.corpora.table import prepare_table
from asrkit.utils.errors import InputError


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "wav").mkdir()
    for name, seconds in (("a", 1.0), ("b", 2.0)):
        samples = np.full(int(8000 * seconds), 0.1)
        soundfile.write(tmp_path / "wav" / f"{name}.wav", samples, 8000)
    return tmp_path


def csv(folder, text):
    path = folder / "table.csv"
    path.write_bytes(text.encode())
    return path


def facts(cuts):
    return [
        (c.id, c.start, c.duration, c.supervisions[0].text, c.supervisions[0].speaker)
        for c in cuts
    ]


EXPECTED = [
    ("a-1", 0.0, 1.0, "HELLO, WORLD", "ann"),
    ("b-2", 0.5, 1.0, "TWO", None),
    ("mine", 0.0, 2.0, "", "7"),
]


def test_csv(folder):
    absolute = folder / "wav" / "b.wav"
    path = csv(
        folder,
        "\ufeffaudio, text,speaker,start,duration,id,mood\r\n"
        'wav/a.wav,"HELLO, WORLD",ann,,,,good\r\n'
        "wav/b.wav, TWO ,,0.5,1.0,,\r\n"
        f"{absolute},,7,0,,mine,\r\n",
    )
    cuts, left_out = prepare_table(path)
    assert left_out == []
    assert facts(cuts) == EXPECTED


def test_jsonl(folder):
    rows = [
        {"audio": "wav/a.wav", "text": "HELLO, WORLD", "speaker": "ann"},
        {"audio": "wav/b.wav", "text": "TWO", "start": 0.5, "duration": 1.0},
        {"audio": "wav/b.wav", "text": "", "speaker": 7, "id": "mine"},
    ]
    path = folder / "table.jsonl"
    path.write_text("\n\n".join(json.dumps(row) for row in rows))
    cuts, left_out = prepare_table(path)
    assert left_out == []
    assert facts(cuts) == EXPECTED


def test_table_in_another_folder_than_the_shell(folder, monkeypatch):
    csv(folder, "audio,text\nwav/a.wav,A\n")
    monkeypatch.chdir(folder)
    (cut,) = prepare_table(type(folder)("table.csv"))[0]
    assert cut.recording.sources[0].source == str(folder / "wav" / "a.wav")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("wav/a.wav,A,x,", "start is 'x', not a number"),
        ("wav/a.wav,A,-1,", "start is '-1', not a number"),
        ("wav/a.wav,A,nan,", "start is 'nan', not a number"),
        ("wav/a.wav,A,0,soon", "duration is 'soon'"),
        ("wav/a.wav,A,0,0", "duration is 0"),
        (",A,,", "lacks audio"),
        ("wav/a.wav", "lacks text"),
        ("wav/a.wav,A,0,1,and more", "more columns than the header"),
    ],
)
def test_bad_rows_are_left_out_with_their_line(folder, row, reason):
    path = csv(folder, f"audio,text,start,duration\nwav/b.wav,B,,\n{row}\n")
    cuts, (left,) = prepare_table(path)
    assert [cut.id for cut in cuts] == ["b-1"]
    assert (left.id, left.path) == ("table-2", f"{path}:3")
    assert reason in left.reason


def test_segment_past_the_end_is_left_out(folder):
    path = csv(folder, "audio,text,start,duration\nwav/a.wav,A,0.5,1\n")
    cuts, (left,) = prepare_table(path)
    assert len(cuts) == 0
    assert (left.id, left.path) == ("a-1", str(folder / "wav" / "a.wav"))
    assert "passes the end of the file at 1 s" in left.reason


def test_bad_json_lines_are_left_out(folder):
    path = folder / "table.jsonl"
    good = '{"audio": "wav/a.wav", "text": "A"}'
    path.write_text(f'{good}\n{{"audio": \n["wav/a.wav", "A"]\n{{"text": "A"}}\n')
    cuts, left_out = prepare_table(path)
    assert [cut.id for cut in cuts] == ["a-1"]
    assert [row.path for row in left_out] == [f"{path}:{line}" for line in (2, 3, 4)]
    reasons = [row.reason for row in left_out]
    assert reasons[0].startswith("not JSON")
    assert reasons[1:] == ["not a JSON object", "lacks audio"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", b"file,transcript\na.wav,A\n", "line 1: the header lacks audio and"),
        ("t.csv", b"", "header lacks audio and text; it is empty"),
        ("t.csv", b"audio,text\na.wav,CAF\xc9\n", "not UTF-8"),
        ("t.tsv", b"audio\ttext\n", r"ends with \.csv or \.jsonl"),
    ],
)
def test_wrong_tables(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as error:
        prepare_table(path)
    assert str(path) in str(error.value)


def test_missing_table(tmp_path):
    with pytest.raises(InputError, match=r"t\.csv: No such file"):
        prepare_table(tmp_path / "t.csv")
