"""A user's own table."""

import json

import pytest

from asrkit.utils.errors import InputError
from tests.unit.data.corpora.formats.reading import facts, read, reasons, tone


@pytest.fixture
def folder(tmp_path):
    for name, seconds in (("a", 1.0), ("b", 2.0)):
        tone(tmp_path / "wav" / f"{name}.wav", seconds)
    return tmp_path


def csv(folder, text, name="table.csv"):
    path = folder / name
    path.write_bytes(text.encode())
    return path


EXPECTED = [
    ("a-part-1", 0.0, 1.0, "HELLO, WORLD", "ann"),
    ("b-part-2", 0.5, 1.0, "TWO", None),
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
    cuts, left_out = read(path)
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
    cuts, left_out = read(path)
    assert left_out == []
    assert facts(cuts) == EXPECTED


def test_table_in_another_folder_than_the_shell(folder, monkeypatch):
    csv(folder, "audio,text\nwav/a.wav,A\n")
    monkeypatch.chdir(folder)
    (cut,) = read(type(folder)("table.csv"))[0]
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
    cuts, (left,) = read(path)
    assert [cut.id for cut in cuts] == ["b-part-1"]
    assert (left.id, left.path) == ("table-2", f"{path}:3")
    assert reason in left.reason


def test_segment_past_the_end_is_left_out(folder):
    path = csv(folder, "audio,text,start,duration\nwav/a.wav,A,0.5,1\n")
    cuts, (left,) = read(path)
    assert len(cuts) == 0
    assert (left.id, left.path) == ("a-part-1", str(folder / "wav" / "a.wav"))
    assert "passes the end of the file at 1 s" in left.reason


def test_bad_json_lines_are_left_out(folder):
    path = folder / "table.jsonl"
    good = '{"audio": "wav/a.wav", "text": "A"}'
    path.write_text(f'{good}\n{{"audio": \n["wav/a.wav", "A"]\n{{"text": "A"}}\n')
    cuts, left_out = read(path)
    assert [cut.id for cut in cuts] == ["a-part-1"]
    assert [row.path for row in left_out] == [f"{path}:{line}" for line in (2, 3, 4)]
    reasons = [row.reason for row in left_out]
    assert reasons[0].startswith("not JSON")
    assert reasons[1] == "not a JSON object"
    assert reasons[2].startswith("lacks audio; it has text (--columns says")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", b"recording,said\na.wav,A\n", "line 1: the header lacks audio and"),
        ("t.csv", b"", "header lacks audio and text; its columns are empty"),
        ("t.csv", b"path,file,text\na.wav,A\n", "path and file may all be audio"),
        ("t.csv", b"audio,text\na.wav,CAF\xc9\n", "not UTF-8"),
        ("t.csv", b'"audio,text\na.wav,A\n', r"line 1: a quote \("),
    ],
)
def test_wrong_tables(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as error:
        read(path)
    assert str(path) in str(error.value)


def test_an_open_quote_swallows_no_rows(folder):
    """Python's csv makes one row of these three, line breaks included."""
    rows = ['wav/a.wav,"AN OPEN QUOTE IS HERE', "wav/b.wav,TWO", "wav/a.wav,THREE"]
    path = csv(folder, "\n".join(["audio,text", *rows]))
    cuts, (left,) = read(path)
    assert [cut.supervisions[0].text for cut in cuts] == ["THREE", "TWO"]
    assert left.path == f"{path}:2"
    assert "does not close" in left.reason


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ('"A ""B"" C"', 'A "B" C'),
        ('A "B" C', 'A "B" C'),
        (' "A, B"', "A, B"),
        ("A 'B", "A 'B"),
    ],
)
def test_quotes_in_csv(folder, text, row):
    cuts, left_out = read(csv(folder, f"audio,text\nwav/a.wav,{text}\n"))
    assert left_out == []
    assert cuts[0].supervisions[0].text == row


def test_a_quote_in_tsv_is_a_character(folder):
    path = csv(folder, 'audio\ttext\nwav/a.wav\t"A\nwav/b.wav\t"B" C\n', "t.tsv")
    cuts, left_out = read(path)
    assert left_out == []
    assert [cut.supervisions[0].text for cut in cuts] == ['"A', '"B" C']


def test_line_breaks_in_json_do_not_come_into_a_transcript(folder):
    path = folder / "t.jsonl"
    path.write_text(json.dumps({"audio": "wav/a.wav", "text": "A\n B\u2028C\r\nD "}))
    (cut,) = read(path)[0]
    assert cut.supervisions[0].text == "A B C D"


@pytest.mark.parametrize(
    "header",
    [
        "path,sentence",  # Common Voice
        "wav_filename,transcript",  # DeepSpeech
        "file_name,transcription",  # Hugging Face's audio folders
        "WAV;WRD",  # SpeechBrain
        "Audio File\tTEXT",
        "file;Sentence",
        "audio-filepath,txt",
    ],
)
def test_columns_that_others_use(folder, header):
    between = next(c for c in "\t;," if c in header)
    suffix = "tsv" if between == "\t" else "csv"
    path = csv(folder, f"{header}\nwav/a.wav{between}A B\n", f"t.{suffix}")
    cuts, left_out = read(path)
    assert left_out == []
    assert facts(cuts) == [("a-part-1", 0.0, 1.0, "A B", None)]


def test_columns_that_the_user_names(folder):
    path = csv(folder, "clip,said,text\nwav/a.wav,A B,noise\n")
    cuts, _ = read(path, columns={"audio": "clip", "text": "said"})
    assert cuts[0].supervisions[0].text == "A B"
    with pytest.raises(InputError, match="no column 'words'; there are clip, said"):
        read(path, columns={"audio": "clip", "text": "words"})


def test_our_own_name_is_meant_before_those_of_others(folder):
    path = csv(folder, "path,audio,sentence,text\nx,wav/a.wav,NOT THIS,THIS\n")
    (cut,) = read(path)[0]
    assert cut.supervisions[0].text == "THIS"


def test_semicolons_with_commas_as_points(folder):
    path = csv(folder, "audio;text;start;end\nwav/b.wav;A, B;0,25;1,75\n")
    cuts, _ = read(path)
    assert facts(cuts) == [("b-part-1", 0.25, 1.5, "A, B", None)]


def test_channels(folder):
    tone(folder / "wav" / "two.wav", 1.0, channels=2)
    path = csv(
        folder,
        "audio,text,channel\nwav/two.wav,LEFT,A\nwav/two.wav,RIGHT,1\n"
        "wav/a.wav,ONE,\nwav/a.wav,NONE,left\n",
    )
    cuts, left_out = read(path)
    found = {cut.supervisions[0].text: cut for cut in cuts}
    assert found.keys() == {"LEFT", "RIGHT", "ONE"}
    assert found["LEFT"].channel == 0
    assert found["RIGHT"].channel == 1
    assert found["RIGHT"].custom["peak"] == pytest.approx(0.2, abs=1e-3)
    assert "channel is 'left'" in left_out[0].reason


def test_ids_that_come_again(folder, caplog):
    """Hugging Face's FLEURS numbers sentences, each spoken by several people."""
    rows = ["wav/a.wav,A,s7", "wav/b.wav,A,s7", "wav/a.wav,A,s7", "wav/b.wav,C,s7-2"]
    cuts, left_out = read(csv(folder, "\n".join(["audio,text,id", *rows])))
    names = {cut.id: cut.recording.id for cut in cuts}
    assert names == {"s7": "a", "s7-2": "b", "s7-2-2": "b"}
    assert reasons(left_out) == {"s7": "listed before, with all the same values"}
    assert "2 ids are not the first of their kind" in caplog.text


def test_a_list_of_objects(folder):
    path = folder / "t.json"
    rows = [{"path": "wav/a.wav", "text": "A"}, ["no", "object"]]
    path.write_text(json.dumps(rows, indent=1))
    cuts, left_out = read(path)
    assert facts(cuts) == [("a-part-1", 0.0, 1.0, "A", None)]
    assert reasons(left_out) == {"t-2": "not a JSON object"}


def test_paths_from_a_folder_above(folder):
    """Lists name audio from where the recipe ran that wrote them."""
    (folder / "lists").mkdir()
    path = csv(folder, "audio,text\nwav/a.wav,A\nwav/c.wav,C\n", "lists/t.csv")
    cuts, (left,) = read(path)
    assert cuts[0].recording.sources[0].source == str(folder / "wav" / "a.wav")
    assert left.path == str(folder / "wav" / "c.wav")


def test_ids_that_are_numbers(folder):
    """Train and dev are often numbered from 0 each; in one run no id comes twice."""
    path = csv(folder, "id,audio,text\n0,wav/a.wav,A\n1,wav/b.wav,B\n")
    ids = [[cut.id for cut in read(path, name=part)[0]] for part in ("train", "dev")]
    assert ids == [["train-0", "train-1"], ["dev-0", "dev-1"]]
    csv(folder, "audio,text\nwav/a.wav,A\n")
    assert [cut.id for cut in read(path, name="dev")[0]] == ["a-dev-1"]
