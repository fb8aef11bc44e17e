"""The tables at the end of a recipe."""

import json
import os
import sys

import pytest

from asrkit.cli.recipe import report
from asrkit.utils.errors import InputError


def test_stages_are_listed_as_they_ended(tmp_path):
    facts = {
        "viterbi": {"updates": 350, "seconds": 90, "peak_memory_gb": 0.9, "wer": 4.5},
        "align": {"seconds": 6, "peak_memory_gb": 0.5, "utterances": 9},
        "lm": {"updates": 7, "seconds": 30, "peak_memory_gb": 1, "perplexity": 8},
        "mbr": {"left_out": "best dev wer 74 of stage full_sum is above 30"},
    }
    for time, (name, values) in enumerate(facts.items()):
        path = tmp_path / name / "done"
        path.parent.mkdir()
        path.write_text(json.dumps(values))
        os.utime(path, (time, time))
    lines = report.render(report.stages(tmp_path)).splitlines()
    assert [line.split() for line in lines[2:]] == [
        ["viterbi", "350", "1.5", "0.90", "GB", "wer", "4.50"],
        ["align", "0.1", "0.50", "GB"],
        ["lm", "7", "0.5", "1.00", "GB", "perplexity", "8.00"],
        ["mbr", "left", "out"],
    ]
    assert len({line.index("GB") for line in lines[2:-1]}) == 1


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Report on a run below a checkout; return the lines by their first word."""
    entry = {
        "set": "test", "method": "greedy", "wer": 2.27, "errors": 12, "words": 528,
        "ins": 1, "del": 2, "sub": 9, "ci95": [1.5, 3.1], "rtfx": 150.2,
        "utterances": 100, "empty": 0,
    }  # fmt: skip
    folder = tmp_path / "exp" / "my run" / "decode"
    folder.mkdir(parents=True)
    (folder / "results.json").write_text(json.dumps([entry]))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "")

    def run(*options):
        assert report.main(["--exp-dir", "exp/my run", *options]) == 0
        lines = filter(None, capsys.readouterr().out.splitlines())
        return {line.split()[0]: line for line in lines}

    return run


def test_every_result_is_shown(run):
    row = " ".join(run()["test"].split())
    assert row == "test greedy 2.27 1.50 to 3.10 12 / 528 150"


def test_commands_work_where_the_recipe_was_called(run, tmp_path, monkeypatch):
    bin = tmp_path / ".venv" / "bin"
    bin.mkdir(parents=True)
    monkeypatch.setattr(sys, "executable", str(bin / "python"))
    # Neither on PATH nor beside Python: named as it is.
    assert run()["curves"].endswith("  tensorboard --logdir 'exp/my run'")
    (bin / "tensorboard").touch(0o755)
    lines = run()
    assert lines["curves"].endswith("  .venv/bin/tensorboard --logdir 'exp/my run'")
    ending = "  scripts/transcribe.py FILE --exp-dir 'exp/my run'"
    assert lines["try"].endswith(ending)
    lines = run("--called-from", str(bin))
    assert f"  {bin}/tensorboard --logdir '{tmp_path}/exp/my run'" in lines["curves"]
    assert f"  {tmp_path}/scripts/transcribe.py FILE --exp" in lines["try"]
    monkeypatch.setenv("PATH", str(bin))
    assert run()["curves"].endswith("  tensorboard --logdir 'exp/my run'")


def test_nothing_decoded(tmp_path):
    with pytest.raises(InputError, match="run stage 6 first"):
        report.main(["--exp-dir", str(tmp_path)])


def test_characters_have_a_table_of_their_own():
    both = {"set": "test", "errors": 3, "ci95": [1, 2], "rtfx": 9}
    words = {**both, "method": "greedy", "wer": 50.0, "words": 6}
    characters = {**both, "method": "beam", "cer": 1.5, "characters": 200}
    one, two = report.rate_tables([words, {**characters, "unit": "character"}])
    assert one.splitlines()[0].split()[2:4] == ["WER", "%"]
    assert "errors / words" in one
    assert two.splitlines()[0].split()[2:4] == ["CER", "%"]
    assert "errors / characters" in two
    assert two.splitlines()[2].split()[:3] == ["test", "beam", "1.50"]
    assert len(one.splitlines()) == len(two.splitlines()) == 3
