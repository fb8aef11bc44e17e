"""Show what works on this machine, and how to mend what does not.

Imports nothing that an installation may lack, so that it can say what is lacking.
"""

import argparse
import os
import platform
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import asrkit

_OLDEST, _NEWEST = (3, 10), (3, 13)
_TIMEOUT = 120
"""Seconds; the first import of torch from a network disk takes long."""


_INSTALL = "pip install -e ."
_ON_ITS_OWN = (
    "recipes/librispeech/run.sh installs asrkit in .venv by itself, and all scripts "
    "take that one"
)


@dataclass(frozen=True)
class Part:
    """Something that is tried, by the function of its name in doctor_checks."""

    name: str
    required: bool = False
    install: str = ""
    """The command where it is not installed."""
    repair: str = ""
    """The command where it is installed and does not work."""


def _required(name: str, package: str) -> Part:
    return Part(name, True, _INSTALL, f"pip install --force-reinstall {package}")


PARTS = (
    _required("torch", "'torch>=2.11,<2.15'"),
    Part(
        "torchaudio",
        True,
        _INSTALL,
        # A CPU-only wheel lacks the CUDA libraries that torchaudio is linked with.
        "pip install --force-reinstall 'torch>=2.11,<2.15' 'torchaudio>=2.11,<2.12' "
        "(the standard torch wheel, not a CPU-only one; it needs no GPU)",
    ),
    _required("lhotse", "'lhotse>=1.33,<2'"),
    _required("soundfile", "soundfile"),
    _required("sentencepiece", "sentencepiece"),
    _required("kaldialign", "kaldialign"),
    _required("hydra", "'hydra-core>=1.3.2,<1.4'"),
    _required("tensorboard", "tensorboard"),
    Part("cuda", repair="install an NVIDIA driver for the CUDA version named above"),
    Part("mps"),
    Part("triton", install="pip install triton (for Linux only)"),
    Part("ffmpeg", install="apt install ffmpeg, brew install ffmpeg, ..."),
    Part("espeak_ng", install="pip install -e '.[demo]'"),
    Part("matplotlib", install="pip install -e '.[plot]'"),
    Part("onnxruntime", install="pip install -e '.[onnx]'"),
    Part(
        "k2",
        # Its wheels on the default index cannot be imported.
        install="not needed; if wanted: pip install k2==VERSION "
        "-f https://k2-fsa.github.io/k2/cuda.html (there are the versions, "
        "one for each torch; a plain `pip install k2` does not work)",
        repair="pip uninstall k2",
    ),
)


@dataclass(frozen=True)
class Finding:
    """What trying a part gave."""

    works: bool
    detail: str


def main(argv: list[str] | None = None) -> int:
    """Print versions, devices and what works; 1 if a required part does not."""
    parser().parse_args(argv)
    _print_machine()
    healthy = _OLDEST <= sys.version_info[:2] <= _NEWEST
    if not healthy:
        print("FAILED  python: asrkit needs 3.10, 3.11, 3.12 or 3.13")
    for part in PARTS:
        finding = try_part(part.name)
        healthy &= finding.works or not part.required
        _print_finding(part, finding)
    if not healthy:
        print(f"a required part does not work; {_ON_ITS_OWN}")
    return 0 if healthy else 1


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    return argparse.ArgumentParser(description=main.__doc__)


def try_part(name: str) -> Finding:
    """Try one part in a process of its own, so that a crash there ends nothing here."""
    root = str(Path(asrkit.__file__).resolve().parents[1])
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    code = f"from asrkit.cli import doctor_checks; print(doctor_checks.{name}())"
    try:
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            env={**os.environ, "PYTHONPATH": path},
        )
    except subprocess.TimeoutExpired:
        return Finding(False, f"no answer in {_TIMEOUT} seconds")
    if done.returncode == 0:
        return Finding(True, done.stdout.strip().splitlines()[-1])
    if done.returncode < 0:
        return Finding(False, f"crashed with {signal.Signals(-done.returncode).name}")
    lines = done.stderr.strip().splitlines() or ["ended without a message"]
    return Finding(False, lines[-1].removeprefix("asrkit.utils.errors.InputError: "))


def _print_machine() -> None:
    version = platform.python_version()
    print(f"asrkit {asrkit.__version__}, Python {version} ({sys.executable})")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    print(f"{platform.platform()}, {os.cpu_count()} CPU cores, {memory:.1f} GiB memory")


def _print_finding(part: Part, finding: Finding) -> None:
    bad = "FAILED" if part.required else "-"
    print(f"{'ok' if finding.works else bad:7} {part.name}: {finding.detail}")
    mend = "" if finding.works else _mend(part, finding)
    if mend:
        print(f"        mend: {mend}")


def _mend(part: Part, finding: Finding) -> str:
    if "No module named 'torch'" in finding.detail:
        return _INSTALL
    absent = finding.detail.startswith("ModuleNotFoundError")
    return part.install if absent else part.repair or part.install
