"""Where transcripts go."""

import json

import pytest

from asrkit.cli.output import Output
from asrkit.decoding.transcripts.transcript import Transcript
from asrkit.decoding.transcripts.words import Word
from asrkit.utils.errors import InputError

ONE, TWO = (
    Transcript(id=id, duration=1.0, text=id, words=[Word(id, 0.2, 0.4, 0.5)])
    for id in ("s/one", "two")
)


def write(name, out, transcripts, several=True):
    output = Output(name, out, several=several)
    for one in transcripts:
        output.add(one)
    output.close()


def test_text_is_shown_as_it_comes(capsys):
    output = Output("text", None, several=True)
    output.add(ONE)
    assert capsys.readouterr().out == "s/one\ts/one\n"
    output.close()
    assert capsys.readouterr().out == ""


def test_other_formats_are_shown_at_the_end(capsys):
    write("json", None, [ONE, TWO])
    assert [one["id"] for one in json.loads(capsys.readouterr().out)] == [
        "s/one",
        "two",
    ]
    write("ctm", None, [TWO, ONE])
    assert capsys.readouterr().out.split()[::6] == ["s/one", "two"]


def test_one_file_for_all(tmp_path, capsys):
    write("text", tmp_path / "x.txt", [ONE, TWO])
    assert (tmp_path / "x.txt").read_text() == "s/one\ts/one\ntwo\ttwo\n"
    write("ctm", tmp_path / "x.ctm", [])
    assert (tmp_path / "x.ctm").read_text() == ""
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("name", "suffix"), [("srt", "srt"), ("textgrid", "TextGrid")])
def test_a_file_for_each(tmp_path, name, suffix, capsys):
    write(name, tmp_path / "out", [ONE, TWO])
    files = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert files == [f"s_one.{suffix}", f"two.{suffix}"]
    assert "s/one" in (tmp_path / "out" / f"s_one.{suffix}").read_text()
    write(name, tmp_path / f"x.{suffix}", [TWO], several=False)
    write(name, None, [TWO], several=False)
    assert (tmp_path / f"x.{suffix}").read_text() == capsys.readouterr().out
    write(name, None, [], several=False)
    assert capsys.readouterr().out == ""


def test_places_that_do_not_fit_the_format(tmp_path):
    with pytest.raises(InputError, match="give --out FOLDER"):
        Output("srt", None, several=True)
    with pytest.raises(InputError, match="give --out FOLDER"):
        Output("srt", tmp_path / "x.srt", several=True)
    (tmp_path / "x.txt").write_text("")
    with pytest.raises(InputError, match="is a file; --format textgrid needs a folder"):
        Output("textgrid", tmp_path / "x.txt", several=True)
    with pytest.raises(InputError, match=r"is a folder; give a file such as x\.ctm"):
        Output("ctm", tmp_path, several=True)
