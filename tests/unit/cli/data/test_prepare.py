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
        f"train: 1 utterances, 0.01 h; 1 left out, listed in {out}/left_out_train.tsv; "
        f"wrote {out}/out_cuts_train.jsonl.gz\n"
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
    assert [line.split(":")[0] for line in lines] == ["train", "test"]


def test_nothing_usable(table):
    table.write_text("audio,text\nb.wav,MISSING\n")
    argv = ["--csv", str(table), "--part", "x", "--out-dir", str(table.parent / "out")]
    with pytest.raises(InputError, match=r"no utterance can be used.*no such file"):
        main(argv)


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["--csv", "t.csv"],
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
    assert capsys.readouterr().err.startswith("error: cannot read the table")
