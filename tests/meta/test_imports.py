"""Which module may import what, and when."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LAZY = {"torchaudio", "k2", "triton", "onnx", "matplotlib", "espeakng_loader"}
"""Optional or slow to load: imported inside the function that needs them."""
KERNELS = ROOT / "asrkit" / "transducer" / "kernels"


def imports_at_load(node: ast.AST) -> Iterator[str]:
    """Yield the packages imported when a module is, whatever block that is in."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        if isinstance(child, ast.Import):
            yield from (name.name.split(".")[0] for name in child.names)
        elif isinstance(child, ast.ImportFrom) and child.module is not None:
            yield child.module.split(".")[0]
        yield from imports_at_load(child)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import k2.ragged", ["k2"]),
        ("from torchaudio.functional import rnnt_loss", ["torchaudio"]),
        ("try:\n    import triton\nexcept ImportError:\n    pass", ["triton"]),
        ("class A:\n    import k2", ["k2"]),
        ("def f():\n    import k2", []),
        ("if TYPE_CHECKING:\n    import k2", []),
    ],
)
def test_imports_at_load(source, expected):
    assert list(imports_at_load(ast.parse(source))) == expected


def test_optional_packages_are_imported_where_they_are_used():
    modules = sorted((ROOT / "asrkit").rglob("*.py"))
    assert modules
    eager = {
        (str(path.relative_to(ROOT)), package)
        for path in modules
        for package in imports_at_load(ast.parse(path.read_text(encoding="utf-8")))
        if package in LAZY
        # A kernel cannot be written without Triton; who uses one imports it late.
        and not (package == "triton" and KERNELS in path.parents)
    }
    assert eager == set()


def test_kernels_are_imported_where_they_are_used():
    # The tiles that call kernels are imported late, too.
    tiles = KERNELS.parent / "tiled" / "triton_tiles.py"
    inside = ("asrkit.transducer.kernels", "asrkit.transducer.tiled.triton_tiles")
    assert tiles.is_file()
    for path in sorted((ROOT / "asrkit").rglob("*.py")):
        if KERNELS in path.parents or path == tiles:
            continue
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ImportFrom):
                assert not (node.module or "").startswith(inside), path


def test_import_contracts_hold():
    code = (
        "import sys; from importlinter.cli import lint_imports; "
        "sys.exit(lint_imports(no_cache=True))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


@pytest.mark.parametrize(
    ("own", "turns"), [({}, "0"), ({"OMP_WAIT_POLICY": "ACTIVE"}, "30")]
)
def test_openmp_sleeps_while_it_waits_unless_the_user_says_otherwise(own, turns):
    """GNU's OpenMP shows what it has read when torch loads it, not what is set later:
    how often it looks before it sleeps."""
    environment = {n: v for n, v in os.environ.items() if n != "OMP_WAIT_POLICY"}
    shown = subprocess.run(
        [sys.executable, "-c", "import asrkit.utils.loss_output"],
        capture_output=True,
        text=True,
        check=True,
        env={**environment, "OMP_DISPLAY_ENV": "verbose", **own},
    ).stderr
    assert f"GOMP_SPINCOUNT = '{turns}" in shown
