"""recipes/switchboard on a small tree like the LDC's."""

import json

import pytest

from asrkit.data.corpora.manifests import list_parts, load_cuts
from asrkit.utils.errors import InputError
from tests.integration.conftest import SETTINGS
from tests.recipes.recipes import copy_checkout, load
from tests.unit.data.corpora.telephone.tree import make_tree, sphere

prepare = load("switchboard")


@pytest.fixture
def tree(tmp_path):
    return make_tree(tmp_path / "ldc")


@pytest.fixture
def run(tree, tmp_path, capsys):
    def run(*options):
        argv = ["--corpus", str(tree), "--data-dir", str(tmp_path / "data")]
        assert prepare.main([*argv, *options]) == 0
        return capsys.readouterr().out

    return run


def test_a_tree_is_prepared(run, tmp_path):
    out = run()
    manifests = tmp_path / "data" / "ldc" / "manifests"
    sizes = {
        part: len(list(load_cuts(manifests, part))) for part in list_parts(manifests)
    }
    assert sizes == {"train": 6, "dev": 12, "test_swbd": 1, "test_callhome": 2}
    assert (manifests / "switchboard_cuts_train.jsonl.gz").is_file()
    assert "train: 6 utterances, 0.00 h; 6 left out (4: no word is said; 2: the" in out
    for name in ("ref.stm", "ref.glm", "fisher.txt.gz"):
        assert (manifests / name).is_file()
        assert f"  {name}: " in out
    assert "stage 1: already done" in run()


def test_what_parts_and_experiment_are_chosen(run):
    run()
    assert run("--settings").splitlines()[0::4] == [
        "experiment=dialogues",
        "data.test=[test_callhome,test_swbd]",
    ]


def test_nothing_half_prepared_counts_as_done(run, tree):
    run()
    path = sphere(tree / "LDC97S62/swb1_d1/data/sw02006.sph", channels=1)
    for _ in range(2):
        with pytest.raises(InputError, match=r"sw02006\.sph has 1 channels"):
            run()
    sphere(path)
    assert "already done" not in run()
    assert "already done" in run()


def test_a_changed_reference_is_read_again(run, tree, tmp_path):
    run()
    (glm,) = tree.rglob("*.glm")
    glm.write_text(glm.read_text() + ";; more\n")
    assert "already done" not in run()
    assert ";; more" in (tmp_path / "data/ldc/manifests/ref.glm").read_text()


@pytest.mark.slow
def test_from_the_tree_to_what_sclite_counts(tree, tmp_path):
    names = ("asrkit", "conf", "recipes", "scripts", "pyproject.toml")
    call = copy_checkout(tmp_path / "checkout", *names)
    recipe = tmp_path / "checkout" / "recipes" / "switchboard"
    settings = [*SETTINGS, "num_updates=4", f"exp_dir={tmp_path / 'exp'}"]
    done = call(recipe, "--corpus", str(tree), *settings)
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "exp/decode/results.json").read_text())
    assert {row["set"] for row in rows} == {"test_swbd", "test_callhome"}
    for start in ("[stm-greedy] %WER", "Switchboard ", "CallHome "):
        assert any(line.startswith(start) for line in done.stdout.splitlines())
