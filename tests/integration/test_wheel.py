"""The wheel, in an environment of its own, from a folder that holds nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow


def call(*command, cwd, path=None):
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    if path is not None:
        env["PYTHONPATH"] = str(path)
    return subprocess.run(
        list(map(str, command)),
        cwd=cwd, env=env, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def asrkit(tmp_path_factory):
    """Build the wheel, install it apart; return what calls its command there."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    files = call("git", "ls-files", "-z", cwd=ROOT).stdout.split("\0")
    for name in filter(None, files):
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    offline = ["--no-deps", "--no-build-isolation", "--no-index"]
    done = call(*pip, "wheel", *offline, "-w", folder, source, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = folder.glob("asrkit-*.whl")
    site = folder / "site"
    done = call(*pip, "install", *offline, "--target", site, wheel, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    empty = folder / "empty"
    empty.mkdir()
    command = site / "bin" / "asrkit"
    assert command.is_file()

    def run(*arguments):
        return call(sys.executable, command, *arguments, cwd=empty, path=site)

    run.site, run.folder = site, empty
    return run


def test_it_names_its_commands(asrkit):
    done = asrkit("--help")
    assert done.returncode == 0
    for name in ("train", "transcribe", "score", "doctor"):
        assert f"\n  {name} " in done.stdout
    done = asrkit("trian")
    assert done.returncode == 2
    assert done.stderr.startswith("error: no command 'trian'")


def test_configurations_are_in_the_wheel(asrkit):
    done = asrkit("train", "--cfg", "job", "loss=pruned", "exp_dir=here")
    assert done.returncode == 0, done.stderr
    assert "s_range: 5" in done.stdout
    assert (asrkit.site / "asrkit" / "conf" / "config.yaml").is_file()
    assert list(asrkit.folder.iterdir()) == []


def test_doctor(asrkit):
    done = asrkit("doctor")
    assert done.returncode == 0, done.stdout
    assert "ok      torch:" in done.stdout


def test_train_and_score(asrkit):
    done = asrkit("train", "data.manifests=nowhere", "exp_dir=exp")
    assert done.returncode == 2, done.stderr
    assert done.stderr.splitlines()[-1].startswith("error: no manifest")
    assert "Error executing job" not in done.stderr  # Hydra's
    reference, hypothesis = (asrkit.folder / name for name in ("ref.trn", "hyp.trn"))
    reference.write_text("a b (one)\n")
    hypothesis.write_text("a c (one)\n")
    done = asrkit("score", "--ref", reference, "--hyp", hypothesis)
    assert done.returncode == 0, done.stderr
    assert "%WER 50.00%" in done.stdout
