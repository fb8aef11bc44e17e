"""scripts/env.sh, with small stand-ins for Python and pip."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# Stands in for an interpreter in range; what it "installs" is a line in calls.txt.
PYTHON = """#!/bin/sh
case "$*" in
*"-m venv "*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
*"-m pip "*)
    echo "PIP_USER=$PIP_USER $*" >>"{calls}"
    [ ! -e "{broken}" ] || {{ echo no space; exit 1; }}
    ;;
*"distribution("*) {has} ;;
*sys.exit\\(os.path.realpath*) {in_venv} ;;
*_base_executable*) echo "$0" ;;
*sys.executable*) echo "$0" ;;
*ensurepip*) {ensurepip} ;;
*version_info*) cat "{version}" ;;
*) echo "unforeseen: $*" >&2; exit 9 ;;
esac
"""
YES, NO = "exit 0", "exit 1"
TOOLS = ["bash", "sh", "cat", "cksum", "cp", "dirname", "mkdir", "rm", "tail"]


class Checkout:
    """A copy of env.sh in a folder with a space in its name."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "a checkout"
        self.bin = folder / "bin"
        self.calls = folder / "calls.txt"
        self.broken = folder / "broken"
        self.version = folder / "version"
        self.bin.mkdir()
        (self.root / "scripts").mkdir(parents=True)
        shutil.copy(ROOT / "scripts/env.sh", self.root / "scripts")
        (self.root / "pyproject.toml").write_text("[project]\n")
        self.version.write_text("3.12\n")
        self.python()

    def python(self, name="python3", has=NO, ensurepip=YES, in_venv=NO):
        """Put a stand-in on PATH that so answers what env.sh asks."""
        text = PYTHON.format(
            calls=self.calls,
            broken=self.broken,
            version=self.version,
            has=has,
            ensurepip=ensurepip,
            in_venv=in_venv,
        )
        (self.bin / name).write_text(text)
        (self.bin / name).chmod(0o755)

    def source(self, extras="demo,plot", root=None):
        script = '. scripts/env.sh; printf "PYTHON=%s\\n" "$PYTHON"'
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=root or self.root,
            env={"PATH": f"{self.bin}:{self.tools()}", "ASRKIT_EXTRAS": extras},
            capture_output=True,
            text=True,
        )

    def tools(self) -> Path:
        """Return a folder of the commands that env.sh calls, with no Python in it."""
        folder = self.bin.parent / "tools"
        folder.mkdir(exist_ok=True)
        for name in TOOLS:
            if not (folder / name).exists():
                (folder / name).symlink_to(shutil.which(name))
        return folder

    def installs(self) -> list[str]:
        """Return the extras of each installation so far."""
        if not self.calls.exists():
            return []
        lines = self.calls.read_text().splitlines()
        return [line.rsplit(".[", 1)[1].removesuffix("]") for line in lines]


@pytest.fixture
def checkout(tmp_path):
    return Checkout(tmp_path)


def test_first_call_makes_venv_and_the_second_does_nothing(checkout):
    first = checkout.source()
    assert first.returncode == 0, first.stderr
    lines = first.stdout.splitlines()
    assert lines[0].startswith("setting up .venv: a few minutes, 6 GB")
    assert lines[1].startswith("set up in ")
    assert lines[2] == f"PYTHON={checkout.root}/.venv/bin/python"
    assert checkout.source().stdout.splitlines() == lines[2:]
    assert checkout.installs() == ["demo,plot"]
    # A user's pip.conf may say otherwise, and pip then refuses.
    assert checkout.calls.read_text().startswith("PIP_USER=0 ")


def test_changed_requirements_are_installed(checkout):
    checkout.source()
    (checkout.root / "pyproject.toml").write_text("[project] # more\n")
    assert checkout.source().stdout.startswith("bringing .venv up to date")
    assert checkout.installs() == ["demo,plot"] * 2


def test_dev_stays_and_covers_the_others(checkout):
    for extras in ["demo,plot", "dev", "demo,plot"]:
        assert checkout.source(extras).returncode == 0
    (checkout.root / "pyproject.toml").write_text("[project] # more\n")
    checkout.source("demo,plot")
    assert checkout.installs() == ["demo,plot", "dev", "dev"]


def test_failed_installation_is_shown_and_repaired(checkout):
    checkout.broken.touch()
    failed = checkout.source()
    assert failed.returncode == 1
    assert "PYTHON=" not in failed.stdout
    assert "no space\nerror: installing asrkit failed" in failed.stderr
    assert f"{checkout.root}/.venv/install.log" in failed.stderr
    leftover = checkout.root / ".venv/half"
    leftover.touch()
    checkout.broken.unlink()
    assert checkout.source().stdout.startswith("setting up .venv")
    assert not leftover.exists()


def test_another_python_and_a_moved_checkout_get_a_new_venv(checkout):
    checkout.source()
    checkout.version.write_text("3.13\n")
    assert checkout.source().stdout.startswith("setting up .venv")
    moved = checkout.root.rename(checkout.root.parent / "moved")
    assert checkout.source(root=moved).stdout.startswith("setting up .venv")
    assert checkout.source(root=moved).stdout.startswith("PYTHON=")


def test_venv_without_its_python_is_made_anew(checkout):
    checkout.source()
    (checkout.root / ".venv/bin/python").unlink()
    assert checkout.source().stdout.startswith("setting up .venv")


def test_active_venv_is_brought_up_to_date_too(checkout):
    checkout.source()
    checkout.python(has=YES, in_venv=YES)
    assert checkout.source().stdout.startswith("PYTHON=")
    (checkout.root / "pyproject.toml").write_text("[project] # more\n")
    assert checkout.source().stdout.startswith("bringing .venv up to date")


def test_environment_with_asrkit_is_used_as_it_is(checkout):
    checkout.python(has=YES)
    done = checkout.source("dev")
    assert done.stdout == f"PYTHON={checkout.bin}/python3\n"
    assert not (checkout.root / ".venv").exists()


def test_environment_with_asrkit_that_lacks_the_tools(checkout):
    checkout.python(has='case "$*" in *importlinter*) exit 1 ;; esac')
    assert checkout.source("demo").returncode == 0
    done = checkout.source("dev")
    assert done.returncode == 1
    assert f"'{checkout.bin}/python3' -m pip install -e" in done.stderr
    assert not (checkout.root / ".venv").exists()


def test_venv_of_the_user_is_left_alone(checkout):
    (checkout.root / ".venv").mkdir()
    done = checkout.source()
    assert done.returncode == 1
    assert "was not made by this script and lacks asrkit" in done.stderr
    assert list((checkout.root / ".venv").iterdir()) == []


def test_next_python_where_the_newest_cannot_make_environments(checkout):
    checkout.python("python3.13", ensurepip=NO)
    checkout.python("python3.11")
    (checkout.bin / "python3").unlink()
    assert checkout.source().returncode == 0
    python = (checkout.root / ".venv/bin/python").read_text()
    assert python == (checkout.bin / "python3.11").read_text()


def test_no_python_that_can_make_environments(checkout):
    checkout.python(ensurepip=NO)
    done = checkout.source()
    assert done.returncode == 1
    assert "python3 cannot make a virtual environment" in done.stderr
    assert "uv python install" in done.stderr


def test_no_python_in_range(checkout):
    (checkout.bin / "python3").unlink()
    done = checkout.source()
    assert done.returncode == 1
    assert "needs Python 3.10, 3.11, 3.12 or 3.13, and none was found" in done.stderr
    assert not (checkout.root / ".venv").exists()


def test_whether_asrkit_is_installed_is_asked_of_python(tmp_path):
    # The stand-ins answer that by themselves; here a real Python is asked.
    metadata = tmp_path / "asrkit-1.dist-info/METADATA"
    metadata.parent.mkdir()
    metadata.write_text("Name: asrkit\nVersion: 1\n")
    other = tmp_path / "other/asrkit/__init__.py"
    other.parent.mkdir(parents=True)
    other.touch()
    functions = (
        (ROOT / "scripts/env.sh").read_text().replace("asrkit_env ||", "true ||")
    )
    (tmp_path / "env.sh").write_text(functions)

    def has(module: str, imported_from: Path) -> bool:
        script = '. "$0"; asrkit_root="$1"; asrkit_has "$2" torch "$3"'
        path = os.pathsep.join([str(tmp_path), str(imported_from)])
        done = subprocess.run(
            ["bash", "-c", script, tmp_path / "env.sh", ROOT, sys.executable, module],
            env={**os.environ, "PYTHONPATH": path},
        )
        return done.returncode == 0

    assert has("pytest", imported_from=ROOT)
    assert not has("no_such_module", imported_from=ROOT)
    assert not has("pytest", imported_from=other.parents[1])
