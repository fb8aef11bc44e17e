"""Scripts find asrkit in the checkout's .venv, from a shell that knows nothing."""

import ast
import os
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def checkout(tmp_path):
    """A checkout whose .venv is that of these tests; its asrkit is a link to ours."""
    folder = tmp_path / "my checkout"
    shutil.copytree(ROOT / "scripts", folder / "scripts", symlinks=True)
    return folder


def make_venv(checkout, home=ROOT):
    """Make a .venv in which asrkit is importable if `home` has it."""
    bare = ["-m", "venv", "--without-pip", str(checkout / ".venv")]
    subprocess.run([sys.executable, *bare], check=True)
    (site,) = (checkout / ".venv").glob("lib/python*/site-packages")
    packages = [path for path in sys.path if path.endswith("site-packages")]
    (site / "asrkit.pth").write_text("\n".join([str(home), *packages]) + "\n")


def call(command, cwd):
    """Call a script with a Python that has nothing, from a new shell."""
    env = {"HOME": str(cwd), "PATH": "/usr/bin:/bin"}
    # -S -E: what is installed for this Python is not seen.
    python = os.path.realpath(sys.executable)
    return subprocess.run(
        [python, "-S", "-E", *map(str, command)],
        cwd=cwd, env=env, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("way", ["absolute", "relative", "link"])
def test_a_script_takes_the_venv(checkout, tmp_path, way):
    make_venv(checkout)
    script = checkout / "scripts" / "score.py"
    if way == "relative":
        script = script.relative_to(tmp_path)
    elif way == "link":
        (tmp_path / "bin").mkdir()
        link = tmp_path / "bin" / "score"
        link.symlink_to(script)
        script = link
    done = call([script, "--help"], tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"usage: {script.name} ")


def test_benchmarks_do_so_too(checkout, tmp_path):
    make_venv(checkout)
    done = call([checkout / "scripts" / "benchmarks" / "resume.py", "--help"], tmp_path)
    assert done.returncode == 0, done.stderr


def test_without_a_venv_one_line_says_what_to_do(checkout, tmp_path):
    done = call([checkout / "scripts" / "score.py", "--help"], tmp_path)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "recipes/librispeech/run.sh" in line
    assert f"pip install -e '{checkout}'" in line


def test_a_broken_venv_ends_with_that_line_too(checkout, tmp_path):
    """Not by starting itself for ever."""
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", str(checkout / ".venv")],
        check=True,
    )
    done = call([checkout / "scripts" / "score.py", "--help"], tmp_path)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert ".venv/bin/python does not have asrkit" in line


@pytest.mark.parametrize("path", [*ROOT.glob("scripts/**/*.py")], ids=lambda x: x.stem)
def test_scripts_import_what_there_is(path):
    """Few of them are run here: a name that has moved would be missed by users."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(
            "asrkit"
        ):
            module = import_module(node.module)
            for name in node.names:
                assert hasattr(module, name.name), f"{node.module} has no {name.name}"


def test_every_script_finds_it_first():
    scripts = [*ROOT.glob("scripts/*.py"), *ROOT.glob("scripts/benchmarks/*.py")]
    scripts += ROOT.glob("recipes/*/*.py")
    assert len(scripts) > 20
    for path in scripts:
        text = path.read_text(encoding="utf-8")
        if text.startswith("#!"):
            assert "import find_asrkit" in text, path
            assert os.access(path, os.X_OK), path
