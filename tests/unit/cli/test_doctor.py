"""The doctor, with healthy parts and with broken ones."""

import inspect
import os

import pytest

from asrkit.cli import doctor, doctor_checks
from asrkit.cli.doctor import Finding, Part, main, try_part

FAST = ["soundfile", "sentencepiece", "kaldialign", "hydra"]


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """Put a module of that name before the real one."""

    def write(name: str, source: str) -> None:
        (tmp_path / f"{name}.py").write_text(source)

    # A name that Python takes from here, whatever is installed.
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    monkeypatch.setenv("PYTHONPATH", path)
    return write


@pytest.mark.parametrize("name", FAST)
def test_healthy_part(name):
    finding = try_part(name)
    assert finding.works, finding.detail
    assert finding.detail[0].isdigit()


@pytest.mark.slow
def test_every_part_that_dev_installs_works():
    broken = [
        (part.name, finding.detail)
        for part in doctor.PARTS
        if part.name not in {"k2", "ffmpeg"}
        and not (finding := try_part(part.name)).works
    ]
    assert broken == []


def test_parts_and_checks_are_the_same():
    checks = {
        name
        for name, function in inspect.getmembers(doctor_checks, inspect.isfunction)
        if function.__module__ == doctor_checks.__name__ and name[0] != "_"
    }
    assert checks == {part.name for part in doctor.PARTS}


@pytest.mark.parametrize(
    ("source", "detail"),
    [
        ("raise ImportError('libx.so.1: no such file')", "ImportError: libx.so.1: no"),
        ("import os; os.abort()", "crashed with SIGABRT"),
        ("import os; os._exit(3)", "ended without a message"),
        ("def align(ref, hyp, gap): return []", "RuntimeError: a wrong alignment"),
    ],
)
def test_broken_part(fake, source, detail):
    fake("kaldialign", source)
    finding = try_part("kaldialign")
    assert not finding.works
    assert finding.detail.startswith(detail)


def test_part_that_hangs(fake, monkeypatch):
    fake("kaldialign", "import time; time.sleep(60)")
    monkeypatch.setattr(doctor, "_TIMEOUT", 0.5)
    assert try_part("kaldialign") == Finding(False, "no answer in 0.5 seconds")


def test_only_required_parts_fail_the_command(fake, monkeypatch, capsys):
    fake("k2", "raise ImportError('undefined symbol')")
    k2 = next(part for part in doctor.PARTS if part.name == "k2")
    kaldialign = Part("kaldialign", True, "install it", "repair it")
    monkeypatch.setattr(doctor, "PARTS", (k2, kaldialign))
    assert main([]) == 0
    out = capsys.readouterr().out
    assert "-       k2: ImportError: undefined symbol\n        mend: pip " in out
    assert "ok      kaldialign: " in out

    fake("kaldialign", "raise ImportError('undefined symbol')")
    assert main([]) == 1
    out = capsys.readouterr().out
    assert "FAILED  kaldialign: ImportError: undefined symbol\n" in out
    assert "        mend: repair it\n" in out


@pytest.mark.parametrize(
    ("detail", "mend"),
    [
        ("ModuleNotFoundError: No module named 'x'", "install"),
        ("ImportError: undefined symbol", "repair"),
        ("ModuleNotFoundError: No module named 'torch'", "pip install -e ."),
    ],
)
def test_mend_depends_on_what_is_wrong(monkeypatch, capsys, detail, mend):
    monkeypatch.setattr(doctor, "PARTS", (Part("x", False, "install", "repair"),))
    monkeypatch.setattr(doctor, "try_part", lambda name: Finding(False, detail))
    assert main([]) == 0
    assert f"mend: {mend}\n" in capsys.readouterr().out
