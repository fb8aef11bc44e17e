"""scripts/prepare.py's command."""

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asrkit.cli.data.prepare import main
from asrkit.data.corpora.manifests import list_parts, load_cuts
from asrkit.utils.errors import InputError

SCRIPT = Path(__file__).parents[4] / "scripts" / "prepare.py"


@pytest.fixture
def table(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.full(36000, 0.1), 1000)
    path = tmp_path / "table.csv"
    path.write_text("audio,text\na.wav,HELLO\nb.wav,MISSING\n")
    return path


def test_csv(table, capsys):
    out = table.parent / "out"
    argv = ["--csv", str(table), "--part", "train", "--out-dir", str(out)]
    assert main(argv) == 0
    assert capsys.readouterr().out == (
        f"train: reading {table}, a table (CSV, TSV or JSON lines)\n"
        f"train: 1 utterances, 0.01 h; 1 left out (1: no such file), listed in "
        f"{out}/left_out_train.tsv; wrote {out}/out_cuts_train.jsonl.gz\n"
    )
    (cut,) = load_cuts(out, "train")
    assert cut.supervisions[0].text == "HELLO"


@pytest.mark.parametrize(
    ("folder", "options", "name"),
    [
        ("data/calls/manifests", [], "calls"),
        ("data/calls", [], "calls"),
        ("data/calls", ["--corpus", "mine"], "mine"),
    ],
)
def test_manifests_are_called_as_the_corpus(table, folder, options, name):
    out = table.parent / folder
    argv = ["--csv", str(table), "--part", "dev", "--out-dir", str(out), *options]
    assert main(argv) == 0
    assert (out / f"{name}_cuts_dev.jsonl.gz").is_file()


def test_jsonl(table, capsys):
    path = table.with_suffix(".jsonl")
    path.write_text('{"audio": "a.wav", "text": "HELLO"}\n')
    out = table.parent / "out"
    argv = ["--jsonl", str(path), "--part", "dev", "--out-dir", str(out), "--jobs", "1"]
    assert main(argv) == 0
    assert list_parts(out) == ["dev"]


def test_librispeech(tmp_path, capsys):
    for part in ("train", "test"):
        chapter = tmp_path / part / "1" / "2"
        chapter.mkdir(parents=True)
        soundfile.write(chapter / "1-2-0000.flac", np.full(100, 0.1), 16000)
        (chapter / "1-2.trans.txt").write_text("1-2-0000 A\n")
    out = tmp_path / "out"
    assert main(["--librispeech", str(tmp_path), "--out-dir", str(out)]) == 0
    assert (out / "librispeech_cuts_test.jsonl.gz").is_file()
    assert list_parts(out) == ["test", "train"]
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["train", "train", "test", "test"]


def test_nothing_usable(table):
    table.write_text("audio,text\nb.wav,MISSING\n")
    argv = ["--csv", str(table), "--part", "x", "--out-dir", str(table.parent / "out")]
    with pytest.raises(InputError, match=r"no utterance can be used.*no such file"):
        main(argv)


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["t.csv", "--csv", "t.csv", "--part", "x"],
        ["t.csv", "--format", "xml", "--part", "x"],
        ["t.csv", "--columns", "words=x", "--part", "x"],
        ["--csv", "t.csv", "--jsonl", "t.jsonl", "--part", "x"],
        ["--librispeech", "d", "--part", "x"],
    ],
)
def test_wrong_choice_of_sources(argv, capsys):
    with pytest.raises(SystemExit) as stop:
        main([*argv, "--out-dir", "out"])
    assert stop.value.code == 2


def test_script_ends_with_a_message(tmp_path, monkeypatch, capsys):
    argv = ["--csv", str(tmp_path / "t.csv"), "--part", "x", "--out-dir", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), *argv])
    monkeypatch.syspath_prepend(SCRIPT.parent)
    with pytest.raises(SystemExit) as stop:
        runpy.run_path(str(SCRIPT), run_name="__main__")
    assert stop.value.code == 2
    assert capsys.readouterr().err.startswith("error: cannot read ")


def prepare(*argv):
    assert main([str(word) for word in argv]) == 0


@pytest.fixture
def corpus(table):
    """Make a folder with train, dev and validated, as Common Voice has."""
    clips = table.parent / "clips"
    clips.mkdir()
    (table.parent / "a.wav").rename(clips / "a.wav")
    table.unlink()
    for part in ("train", "dev", "validated"):
        text = "client_id\tpath\tsentence\n1\ta.wav\tHello\n"
        (table.parent / f"{part}.tsv").write_text(text)
    return table.parent


def test_a_folder_of_parts(corpus):
    prepare(corpus, "--out-dir", corpus / "out")
    assert list_parts(corpus / "out") == ["dev", "train"]
    (cut,) = load_cuts(corpus / "out", "dev")
    assert (cut.id, cut.supervisions[0].speaker) == ("a", "1")


def test_one_part_of_a_folder(corpus):
    prepare(corpus, "--part", "dev", "--out-dir", corpus / "out")
    assert list_parts(corpus / "out") == ["dev"]
    with pytest.raises(InputError, match="has no part test; there are train, dev"):
        prepare(corpus, "--part", "test", "--out-dir", corpus / "out")


def test_a_list_under_any_name(corpus):
    out = corpus / "out"
    prepare(corpus / "validated.tsv", "--part", "all", "--out-dir", out)
    assert [cut.id for cut in load_cuts(out, "all")] == ["a"]


def test_a_format_that_is_named(corpus):
    """As a table: audio is not looked for in clips/."""
    argv = [corpus / "dev.tsv", "--format", "table", "--part", "x", "--out-dir", corpus]
    with pytest.raises(InputError, match="no such file"):
        prepare(*argv)


def test_columns(corpus):
    path = corpus / "t.csv"
    path.write_text("clip,said\nclips/a.wav,HELLO\n")
    argv = [path, "--part", "x", "--out-dir", corpus / "out"]
    with pytest.raises(InputError, match="--columns audio=NAME,text=NAME"):
        prepare(*argv)
    prepare(*argv, "--columns", "audio=clip,text=said")
    (cut,) = load_cuts(corpus / "out", "x")
    assert cut.supervisions[0].text == "HELLO"


def test_commands(corpus):
    folder = corpus / "kaldi"
    folder.mkdir()
    (folder / "wav.scp").write_text(f"u1 cat {corpus}/clips/a.wav |\n")
    (folder / "text").write_text("u1 HELLO\n")
    argv = [folder, "--part", "x", "--out-dir", corpus / "out"]
    with pytest.raises(InputError, match="add --run-commands to run them"):
        prepare(*argv)
    prepare(*argv, "--run-commands")
    (cut,) = load_cuts(corpus / "out", "x")
    source = Path(cut.recording.sources[0].source)
    assert source.is_relative_to(corpus / "out" / "audio" / "x")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gone", "no such file or folder"),
        ("clips/a.wav", "is in no format that is known; --format names one of libri"),
        ("clips", "holds no corpus"),
        ("dev.tsv", "--part is missing"),
    ],
)
def test_what_cannot_be_read(corpus, name, message):
    with pytest.raises(InputError, match=message):
        prepare(corpus / name, "--out-dir", corpus / "out")
