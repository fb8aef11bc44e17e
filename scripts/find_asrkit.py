"""Makes asrkit importable, whatever Python a script was started with.

Import it first. Where asrkit is not installed, it starts the script anew with the
checkout's .venv; where there is none, it says how to get one. It has to work in Pythons
that are too old for asrkit.
"""

import os
import sys
from importlib.util import find_spec

ROOT = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
_VENV = os.path.join(ROOT, ".venv")


def run(command):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
    """Run a command of asrkit with the arguments of the script; does not return."""
    from asrkit.cli.commands import run_command

    run_command(command)


def _use_venv():  # type: ignore[no-untyped-def] # noqa: ANN202
    python = os.path.join(_VENV, "bin", "python")
    # In .venv itself there is nothing to change to: its installation was broken off.
    inside = os.path.realpath(sys.prefix) == os.path.realpath(_VENV)
    if os.path.exists(python) and not inside:
        os.execv(python, [python, *sys.argv])
    if os.path.basename(sys.argv[0]) == "doctor.py":
        sys.path.insert(0, ROOT)  # It is there to say what is missing.
        return
    sys.exit(
        f"error: {sys.executable} does not have asrkit; recipes/librispeech/run.sh "
        f"installs it in .venv, or: {sys.executable} -m pip install -e '{ROOT}'"
    )


if find_spec("asrkit") and find_spec("torch"):
    import asrkit  # noqa: F401 - how OpenMP waits, before a script imports torch
else:
    _use_venv()
