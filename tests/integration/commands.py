"""Runs the real commands in forks of a process that has imported torch and lhotse once.

A command that starts with Python itself spends most of its time on these imports. What
happens at the start of one is tested where the start is the matter: by torchrun, by
`fresh=True`, and by the tests of start-up.
"""

import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[2]
# The same sums in the same order, and no waiting for each other's threads.
ONE_THREAD = {"OMP_NUM_THREADS": "1"}

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(
    [
        "asrkit", "asrkit.cli.training.train", "asrkit.cli.decoding.decode",
        "torch.utils.tensorboard",
    ]
)  # fmt: skip


def run(script, *arguments, timeout=240, launcher=(), fresh=False):
    """Run a command of the repository as a user does."""
    argv = [str(ROOT / script), *map(str, arguments)]
    environment = {**os.environ, **ONE_THREAD}
    if launcher or fresh:
        return subprocess.run(
            [sys.executable, *launcher, *argv],
            capture_output=True,
            text=True,
            timeout=timeout,
            env=environment,
            check=False,
        )
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / name for name in ("stdout", "stderr")]
        process = FORKS.Process(
            target=execute, args=(argv, environment, os.getcwd(), files)
        )
        process.start()
        process.join(timeout)
        if process.is_alive():
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(argv, timeout)
        texts = [file.read_text() for file in files]
        return subprocess.CompletedProcess(argv, process.exitcode, *texts)


def execute(argv, environment, folder, files):
    """Be a command, in a process of its own."""
    # As in a command of its own; a process of a fork server would use that.
    multiprocessing.set_start_method("fork", force=True)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    for stream, path in zip((1, 2), files, strict=True):
        os.dup2(os.open(path, flags), stream)
    torch.set_num_threads(int(environment["OMP_NUM_THREADS"]))
    sys.argv = argv
    sys.path[0] = str(Path(argv[0]).parent)
    runpy.run_path(argv[0], run_name="__main__")
