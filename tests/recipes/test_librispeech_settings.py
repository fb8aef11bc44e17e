"""What run.sh derives from a corpus, and the table that it ends with."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from lhotse import CutSet
from lhotse.testing.dummies import dummy_cut, dummy_supervision

from asrkit.data.corpora.manifests import write_manifests

RECIPE = Path(__file__).resolve().parents[2] / "recipes" / "librispeech"


def run(script, *arguments):
    command = [sys.executable, str(RECIPE / script), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def cuts(hours):
    return CutSet.from_cuts(
        dummy_cut(i, duration=3600.0, supervisions=[dummy_supervision(i)])
        for i in range(hours)
    )


@pytest.mark.slow
@pytest.mark.parametrize(("hours", "experiment"), [(1, "tiny"), (5, "mini")])
def test_parts_and_experiment_of_a_folder(tmp_path, hours, experiment):
    parts = {"train-a": cuts(hours), "dev": cuts(1), "test": cuts(1)}
    write_manifests(parts, {}, tmp_path / "mine" / "manifests")
    for _ in range(2):  # the second time from what the first one kept
        done = run("settings.py", "--corpus", "some/mine", "--data-dir", tmp_path)
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines() == [
            f"experiment={experiment}",
            f"data.manifests={tmp_path}/mine/manifests",
            "data.train=[train-a]",
            "data.dev=[dev]",
            "data.test=[test]",
            "exp_dir=exp/mine",
        ]


def test_a_corpus_without_training_data_is_an_error(tmp_path):
    write_manifests({"dev": cuts(1)}, {}, tmp_path / "mine" / "manifests")
    done = run("settings.py", "--corpus", "mine", "--data-dir", tmp_path)
    assert done.returncode == 2
    assert "needs a part train*" in done.stderr


def test_the_report_shows_every_result(tmp_path):
    entry = {
        "set": "test", "method": "greedy", "wer": 2.27, "errors": 12, "words": 528,
        "ins": 1, "del": 2, "sub": 9, "ci95": [1.5, 3.1], "rtfx": 150.2,
        "utterances": 100, "empty": 0,
    }  # fmt: skip
    (tmp_path / "decode").mkdir()
    (tmp_path / "decode" / "results.json").write_text(json.dumps([entry]))
    done = run("report.py", "--exp-dir", tmp_path)
    assert done.returncode == 0
    (row,) = [line for line in done.stdout.splitlines() if line.startswith("test")]
    assert " ".join(row.split()) == "test greedy 2.27 1.50 to 3.10 12 / 528 150"
    assert f"tensorboard --logdir {tmp_path}" in done.stdout
    missing = run("report.py", "--exp-dir", tmp_path / "gone")
    assert missing.returncode == 2
    assert "run stage 6 first" in missing.stderr
