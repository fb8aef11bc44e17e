"""Starts the real training command without the seconds that imports take."""

import contextlib
import multiprocessing
import os
import sys
import time
from pathlib import Path

from tests.integration.conftest import ROOT, SETTINGS

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["asrkit.cli.training.train", "torch.utils.tensorboard"])


def start(manifests, exp_dir, *arguments):
    """Start a training as a session of its own; return the process.

    Its messages go to the file beside the experiment's folder, named *.log.
    """
    argv = [
        str(ROOT / "scripts/train.py"),
        *(f"data.manifests={manifests}", f"exp_dir={exp_dir}"),
        *(*SETTINGS, *arguments),
    ]
    process = _FORKS.Process(target=_train, args=(argv, exp_dir.with_suffix(".log")))
    process.start()
    return process


def _train(argv, log):
    os.setsid()
    # As in a command of its own; a process of a fork server would use that.
    multiprocessing.set_start_method("fork", force=True)
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(file, stream)
    from asrkit.cli.main import run
    from asrkit.cli.training.train import main

    sys.argv = argv
    run(main)


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
        if not sessions & set(sessions_alive()):
            return
        time.sleep(0.02)
    raise AssertionError(f"some of the processes of {sessions} live on")


def sessions_alive():
    """Yield the session of every process of this machine that has not ended."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has just ended
            state, _, _, session = path.read_text().rpartition(")")[2].split()[:4]
            if state != "Z":
                yield int(session)
