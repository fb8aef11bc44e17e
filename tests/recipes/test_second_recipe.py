"""A recipe of another corpus: run.sh and prepare.py of a few lines, and all stages."""

import json
from functools import partial

import pytest

from tests.integration.conftest import SETTINGS
from tests.recipes.recipes import copy_checkout

RUN = """\
#!/usr/bin/env bash
# Tones, high and low:
#
#   recipes/tones/run.sh [OPTION ...]
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/recipe.sh"
"""
PREPARE = """\
from pathlib import Path

import numpy as np
import soundfile

from asrkit.cli.main import run
from asrkit.cli.recipe.prepare import prepare
from asrkit.cli.recipe.recipe import Corpus, Recipe
from asrkit.data.corpora.scan import Utterance, scan


def fetch(folder, jobs):
    if folder.exists():
        return
    for part in ("train", "test"):
        (folder / part).mkdir(parents=True, exist_ok=True)
        for i in range(8):
            tone = 0.1 * np.sin(np.arange(16000) * (0.1 if i % 2 else 0.3))
            soundfile.write(folder / part / f"{part}{i}.wav", tone, 16000)


def find_parts(folder):
    return sorted(path.name for path in folder.iterdir())


def prepare_part(folder, part, *, jobs=None):
    paths = sorted((folder / part).glob("*.wav"))
    texts = ["HIGH HIGH", "LOW LOW"]
    return scan(
        [
            Utterance(id=p.stem, path=p.resolve(), text=texts[i % 2], speaker="s")
            for i, p in enumerate(paths)
        ],
        name=part,
        jobs=jobs,
    )


RECIPE = Recipe(
    name="tones",
    corpora={"tones": Corpus(fetch=fetch)},
    find_parts=find_parts,
    prepare_part=prepare_part,
)

if __name__ == "__main__":
    run(lambda: prepare(RECIPE))
"""


@pytest.fixture
def run(tmp_path):
    """Put the recipe into a copy of the checkout; return what calls its run.sh."""
    call = copy_checkout(tmp_path, "asrkit", "conf", "scripts", "pyproject.toml")
    recipe = tmp_path / "recipes" / "tones"
    recipe.mkdir(parents=True)
    (recipe / "run.sh").write_text(RUN)
    (recipe / "prepare.py").write_text(PREPARE)
    return partial(call, recipe)


@pytest.mark.slow
def test_a_recipe_of_a_few_lines(run, tmp_path):
    shown = run("--help").stdout.splitlines()
    assert shown[:3] == [
        "Tones, high and low:", "", "  recipes/tones/run.sh [OPTION ...]",
    ]  # fmt: skip
    assert shown[3].startswith("  --stage N, ")
    settings = [*SETTINGS, "num_updates=4"]
    done = run(*settings)
    assert done.returncode == 0, done.stderr
    manifests = tmp_path / "data" / "tones" / "manifests"
    assert (manifests / "tones_cuts_train.jsonl.gz").is_file()
    (entry,) = json.loads((tmp_path / "exp/tones/decode/results.json").read_text())
    assert (entry["set"], entry["utterances"]) == ("test", 8)
    # Called from its own folder, it prints commands that work there.
    assert f"{tmp_path}/scripts/transcribe.py FILE" in done.stdout
    again = run(*settings)
    assert again.returncode == 0, again.stderr
    assert "stage 1: already done" in again.stdout
    assert "stage 6: already done" in again.stdout
    assert "stage 8" not in done.stdout + again.stdout  # only who asks for it, gets it
    exported = run("--stage", "8", *settings)
    assert exported.returncode == 0, exported.stderr
    assert (tmp_path / "exp/tones/export/encoder.onnx").is_file()
    again = run("--stop-stage", "8", *settings)
    assert "stage 8: already done" in again.stdout
    other = run("--corpus", str(tmp_path / "gone"))
    assert other.returncode != 0
