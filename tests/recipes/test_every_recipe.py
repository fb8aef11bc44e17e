"""Every recipe says what it is, and chooses among experiments that it has."""

import subprocess

import pytest

from tests.recipes.recipes import ROOT, load

RECIPES = sorted(path.parent.name for path in ROOT.glob("recipes/*/prepare.py"))


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_names_its_own_experiments(name):
    recipe = load(name).RECIPE
    named = {experiment for _, experiment in recipe.experiments}
    named |= {corpus.experiment for corpus in recipe.corpora.values()} - {""}
    own = (ROOT / "recipes" / name).glob("conf/experiment/*.yaml")
    there = {path.stem for path in (*own, *ROOT.glob("conf/experiment/*.yaml"))}
    assert named - there == set()
    hours = [most for most, _ in recipe.experiments]
    assert hours == sorted(hours)
    assert not hours or hours[-1] == float("inf")


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_has_a_help_and_a_readme(name):
    folder = ROOT / "recipes" / name
    shown = subprocess.run(
        ["bash", folder / "run.sh", "--help"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert f"recipes/{name}/run.sh" in shown.stdout
    assert (folder / "README.md").is_file()
