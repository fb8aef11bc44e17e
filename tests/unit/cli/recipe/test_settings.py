"""What run.sh derives from a corpus."""

import pytest
from lhotse import CutSet
from lhotse.testing.dummies import dummy_cut, dummy_supervision

from asrkit.cli.recipe.recipe import Corpus, Recipe
from asrkit.cli.recipe.settings import choose_settings
from asrkit.data.corpora.manifests import write_manifests
from asrkit.utils.errors import InputError

RECIPE = Recipe(
    name="x",
    corpora={
        "whole": Corpus(fetch=lambda folder, jobs: None, experiment="own"),
        "parts": Corpus(
            fetch=lambda folder, jobs: None, train=["a", "b"], dev=["c"], test=["d"]
        ),
    },
    experiments=[(3, "tiny"), (30, "mini")],
)


def cuts(hours):
    return CutSet.from_cuts(
        dummy_cut(i, duration=3600.0, supervisions=[dummy_supervision(i)])
        for i in range(hours)
    )


@pytest.mark.parametrize(("hours", "experiment"), [(1, "tiny"), (5, "mini")])
def test_parts_and_experiment_of_a_folder(tmp_path, hours, experiment):
    folder = tmp_path / "mine"
    parts = {"train-a": cuts(hours), "dev": cuts(1), "test": cuts(1)}
    write_manifests(parts, {}, folder / "manifests")
    for _ in range(2):  # the second time from what the first one kept
        assert choose_settings(RECIPE, "some/mine", folder) == [
            f"experiment={experiment}",
            f"data.manifests={folder}/manifests",
            "data.train=[train-a]",
            "data.dev=[dev]",
            "data.test=[test]",
            "exp_dir=exp/mine",
        ]


def test_what_a_corpus_says_of_itself(tmp_path):
    parts = {name: cuts(1) for name in ("a", "b", "c", "d", "train", "test")}
    write_manifests(parts, {}, tmp_path / "manifests")
    lines = choose_settings(RECIPE, "parts", tmp_path)
    assert "data.train=[a,b]" in lines
    assert "data.test=[d]" in lines
    lines = choose_settings(RECIPE, "whole", tmp_path)
    assert lines[0] == "experiment=own"
    # Without a dev part the test part chooses checkpoints.
    assert "data.dev=[test]" in lines


def test_a_recipe_without_experiments_takes_the_defaults(tmp_path):
    parts = {"train": cuts(1), "dev": cuts(1)}
    write_manifests(parts, {}, tmp_path / "manifests")
    (first, *_) = choose_settings(Recipe(name="y"), "mine", tmp_path)
    assert first.startswith("data.manifests=")


def test_a_corpus_without_training_data_is_an_error(tmp_path):
    write_manifests({"dev": cuts(1)}, {}, tmp_path / "manifests")
    with pytest.raises(InputError, match="needs a part whose name tells of train"):
        choose_settings(RECIPE, "mine", tmp_path)
