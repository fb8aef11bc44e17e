"""Loads what stands in recipes/, and runs it in a copy of the checkout."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]


def load(name: str) -> ModuleType:
    """Load the prepare.py of a recipe."""
    path = ROOT / "recipes" / name / "prepare.py"
    spec = importlib.util.spec_from_file_location(f"{name}_prepare", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def copy_checkout(folder, *names):
    """Copy files of the checkout, and return what calls a recipe of the copy.

    Args:
        folder: Of the copy.
        names: Files and folders that are copied, as far as git has them.

    Returns:
        (folder of the recipe, *arguments) -> what became of its run.sh.
    """
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *names],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    env = {**os.environ, "PATH": path, "PYTHONPATH": str(folder)}

    def call(recipe, *arguments):
        return subprocess.run(
            ["bash", "run.sh", *arguments],
            cwd=recipe, env=env, capture_output=True, text=True, check=False,
        )  # fmt: skip

    return call
