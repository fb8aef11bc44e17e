"""The recipe that docs/recipes.md shows is one that runs."""

import re
from functools import partial

import pytest

from tests.integration.conftest import SETTINGS
from tests.recipes.recipes import ROOT, copy_checkout

FILES = {
    "bash": "run.sh",
    "python": "prepare.py",
    "yaml": "conf/experiment/precios.yaml",
}


@pytest.fixture
def run(tmp_path):
    """Write the page's files into a copy of the checkout; return what calls run.sh."""
    page = (ROOT / "docs/recipes.md").read_text(encoding="utf-8")
    call = copy_checkout(tmp_path, "asrkit", "conf", "scripts", "pyproject.toml")
    recipe = tmp_path / "recipes" / "precios"
    for language, name in FILES.items():
        shown = re.search(rf"```{language}\n(.*?)```", page, re.DOTALL)[1]
        # A few utterances tell as much.
        few = shown.replace(
            '"train": 600, "dev": 40, "test": 100', '"train": 20, "dev": 4, "test": 6'
        )
        (recipe / name).parent.mkdir(parents=True, exist_ok=True)
        (recipe / name).write_text(few, encoding="utf-8")
    return partial(call, recipe)


def test_its_help(run):
    shown = run("--help")
    assert "recipes/precios/run.sh" in shown.stdout, shown.stderr
    assert "\n  --gpus N " in shown.stdout


@pytest.mark.slow
def test_it_runs(run, tmp_path):
    settings = [one for one in SETTINGS if not one.startswith("tokenizer")]
    done = run("num_updates=2", *settings)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "train: 20 utterances" in done.stdout
    tokens = (tmp_path / "data/precios/lang_char/tokens.txt").read_text("utf-8")
    assert "Y " in tokens
    assert (tmp_path / "exp/precios/decode/results.json").is_file()
