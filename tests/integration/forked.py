"""Starts the real training command without the seconds that imports take."""

import contextlib
import os
import time
from pathlib import Path

from tests.integration.commands import FORKS, ONE_THREAD, ROOT, execute
from tests.integration.conftest import SETTINGS


def start(manifests, exp_dir, *arguments):
    """Start a training as a session of its own; return the process.

    Its messages go to the file beside the experiment's folder, named *.log.
    """
    argv = [
        str(ROOT / "scripts/train.py"),
        *(f"data.manifests={manifests}", f"exp_dir={exp_dir}"),
        *(*SETTINGS, *arguments),
    ]
    process = FORKS.Process(target=_train, args=(argv, exp_dir.with_suffix(".log")))
    process.start()
    return process


def _train(argv, log):
    os.setsid()
    execute(argv, {**os.environ, **ONE_THREAD}, os.getcwd(), [log, log])


def wait(process, happened, *arguments):
    """Wait until something has happened while a process runs."""
    while not happened(*arguments):
        assert process.is_alive(), "it ended before"
        time.sleep(0.001)


def wait_for_ends(sessions):
    """Wait until the processes that killed ones have started are no more.

    Readers look for the training every few seconds, and end by themselves.
    """
    for _ in range(1000):
        left = sessions & set(sessions_alive())
        if not left:
            return
        time.sleep(0.02)
    raise AssertionError(f"processes of the sessions {left} live on")


def sessions_alive():
    """Yield the session of every process of this machine that has not ended."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has just ended
            state, _, _, session = path.read_text().rpartition(")")[2].split()[:4]
            if state != "Z":
                yield int(session)
