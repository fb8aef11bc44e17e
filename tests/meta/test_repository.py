"""What every file of the repository has to keep to."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CODE = {".py", ".sh", ".yaml", ".toml"}
HOME = re.compile(rb"(?<![\w.])/(?:home|Users|root)/\w")
IMPORTS_TORCH = re.compile(r"^\s*(?:import|from) torch\b", re.MULTILINE)


def tracked() -> list[Path]:
    """Return the files that git has, or would take with `git add .`."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
    )
    if listed.returncode != 0:
        pytest.skip("not a git checkout, so what belongs to it is unknown")
    names = listed.stdout.decode().split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def line_count(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def test_code_files_are_short():
    lengths = {path: line_count(path) for path in tracked() if path.suffix in CODE}
    assert len(lengths) > 10
    assert {path: count for path, count in lengths.items() if count >= 600} == {}


def test_recipes_hold_no_links():
    links = [path for path in (ROOT / "recipes").rglob("*") if path.is_symlink()]
    assert links == []


def test_recipe_modules_are_short_and_leave_torch_to_the_library():
    recipes = [path for path in tracked() if path.is_relative_to(ROOT / "recipes")]
    modules = [path for path in recipes if path.suffix == ".py"]
    assert [path for path in modules if line_count(path) > 150] == []
    assert [p for p in modules if IMPORTS_TORCH.search(p.read_text("utf-8"))] == []


def test_scripts_are_thin():
    # Benchmarks and plots are scripts and nothing else; commands stand in asrkit.cli.
    thick = {
        path.name: line_count(path)
        for path in (ROOT / "scripts").glob("*.py")
        if line_count(path) > 15 and path.name not in ("find_asrkit.py", "plot_run.py")
    }
    assert thick == {}


def test_no_file_names_a_home_folder():
    found = [path for path in tracked() if HOME.search(path.read_bytes())]
    assert found == []
