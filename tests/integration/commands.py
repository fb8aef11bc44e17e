"""Runs the real commands in forks of a process that has imported torch and lhotse once.

A command that starts with Python itself spends most of its time on these imports. What
happens at the start of one is tested where it is the matter: with torchrun as a
launcher, with `launcher=["-u"]`, and by the tests of start-up.
"""

import multiprocessing
import multiprocessing.connection
import os
import runpy
import socket
import subprocess
import sys
import tempfile
import time
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


def run(script, *arguments, timeout=240, launcher=(), processes=1):
    """Run a command of the repository as a user does.

    Args:
        script: Below the repository's root.
        arguments: Of the command.
        timeout: Seconds.
        launcher: What stands before the script where Python itself is to start it.
        processes: Among which the script shares its work, as if torchrun had started
            them; when one fails, the others are killed.
    """
    argv = [str(ROOT / script), *map(str, arguments)]
    environment = {**os.environ, **ONE_THREAD}
    if launcher:
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
        forks = [
            FORKS.Process(target=execute, args=(argv, each, os.getcwd(), files))
            for each in ranks(environment, processes)
        ]
        for fork in forks:
            fork.start()
        status = wait(forks, timeout)
        if status is None:
            raise subprocess.TimeoutExpired(argv, timeout)
        texts = [file.read_text() for file in files]
        return subprocess.CompletedProcess(argv, status, *texts)


def ranks(environment, processes):
    """Return the environment of each process, with what torchrun tells it."""
    if processes == 1:
        return [environment]
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    told = {
        "WORLD_SIZE": processes, "LOCAL_WORLD_SIZE": processes,
        "MASTER_ADDR": "localhost", "MASTER_PORT": port,
    }  # fmt: skip
    return [
        {**environment, **{n: str(v) for n, v in own.items()}}
        for own in ({**told, "RANK": r, "LOCAL_RANK": r} for r in range(processes))
    ]


def wait(forks, timeout):
    """Return the first status that is not 0, or 0; None when the time is over."""
    end = time.monotonic() + timeout
    while True:
        alive = [fork.sentinel for fork in forks if fork.is_alive()]
        failed = [fork.exitcode for fork in forks if fork.exitcode]
        late = time.monotonic() > end
        if failed or late or not alive:
            for fork in forks:
                fork.kill()
                fork.join()
            return failed[0] if failed else None if late else 0
        multiprocessing.connection.wait(alive, timeout=1.0)


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
    sys.path.insert(0, str(Path(argv[0]).parent))
    runpy.run_path(argv[0], run_name="__main__")
