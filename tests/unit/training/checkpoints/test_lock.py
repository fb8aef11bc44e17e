"""One run at a time in a folder."""

import os
import signal
import subprocess
import sys

import pytest

from asrkit.training.checkpoints.lock import FolderLock
from asrkit.utils.errors import InputError

HOLD = """
import sys, time, multiprocessing
from pathlib import Path
from asrkit.training.checkpoints.lock import FolderLock
with FolderLock(Path(sys.argv[1])):
    multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,)).start()
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """Start a process that holds the folder, with a child as data loaders have."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip
    assert process.stdout.readline() == b"held\n"
    yield process
    os.killpg(process.pid, signal.SIGKILL)
    process.stdout.close()
    process.wait()


def test_a_second_run_is_told_about_the_first(tmp_path, holder):
    with (
        pytest.raises(InputError, match=f"another run works in .*{holder.pid} on .*"),
        FolderLock(tmp_path),
    ):
        pass


def test_a_killed_process_lets_go_though_its_children_live(tmp_path, holder):
    holder.kill()
    holder.wait()
    with FolderLock(tmp_path):
        pass


def test_it_can_be_held_again_and_elsewhere(tmp_path):
    for _ in range(2):
        with FolderLock(tmp_path / "a"), FolderLock(tmp_path / "b"):
            assert f"process {os.getpid()} on" in (tmp_path / "a/.lock").read_text()


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    lock = FolderLock(tmp_path / "file" / "exp")
    with pytest.raises(InputError, match=r"cannot write .*exp/.lock: "), lock:
        pass
