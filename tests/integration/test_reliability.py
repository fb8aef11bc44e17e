"""What may happen to a run, by the real commands: it ends the same, or says why not."""

import contextlib
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time

import pytest
import torch

from tests.integration import conftest, forked
from tests.integration.conftest import ONE_THREAD, ROOT, SETTINGS, run

pytestmark = pytest.mark.slow

RUN = ["num_epochs=6", "trainer.validate_every=3"]
KILLS = 30
NAMESPACE = ["unshare", "--map-root-user", "--mount"]
LIMIT = 600  # seconds, for a busy machine
TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]


def train(*arguments, **options):
    return conftest.train(*arguments, timeout=LIMIT, **options)


@pytest.fixture(scope="module")
def whole(manifests, tmp_path_factory):
    """Train without any trouble; return the experiment's folder."""
    exp_dir = tmp_path_factory.mktemp("whole") / "exp"
    done = train(manifests, exp_dir, *RUN)
    assert done.returncode == 0, done.stderr
    return exp_dir


@contextlib.contextmanager
def started(manifests, exp_dir, *arguments, launcher=()):
    """Start a run in the background."""
    command = [
        sys.executable, *launcher, ROOT / "scripts/train.py",
        f"data.manifests={manifests}", f"exp_dir={exp_dir}", *SETTINGS, *RUN,
        *arguments,
    ]  # fmt: skip
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env={**os.environ, **ONE_THREAD}
    ) as process:
        yield process
        if process.poll() is None:
            process.kill()


def wait_for(path, process):
    while not path.exists():
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)


def holds(folder, process):
    """Say whether a process trains in a folder: it writes its number into the lock."""
    lock = folder / ".lock"
    return lock.exists() and f"process {process.pid} " in lock.read_text()


def kill_after(manifests, exp_dir, checkpoint):
    """Train, and kill it when there is a checkpoint of that name."""
    with started(manifests, exp_dir) as process:
        wait_for(checkpoints(exp_dir) / checkpoint, process)
        process.kill()


def saves(exp_dir):
    """Say whether a checkpoint is half written."""
    return any(checkpoints(exp_dir).glob(".new.pt.*"))


def checkpoints(exp_dir):
    return exp_dir / "train" / "checkpoints"


def assert_same(exp_dir, whole):
    """Compare final weights bit for bit, and what is left in the folder."""
    own, expected = (
        torch.load(checkpoints(folder) / "last.pt", weights_only=True)
        for folder in (exp_dir, whole)
    )
    assert own["update"] == expected["update"]
    assert own["best"] == expected["best"]
    for part in ("task", "average"):
        for name, value in expected[part].items():
            assert torch.equal(own[part][name], value), name
    names = [
        {path.name for path in checkpoints(folder).iterdir()}
        for folder in (exp_dir, whole)
    ]
    assert names[0] == names[1]


def test_killed_thirty_times_it_ends_the_same(manifests, tmp_path, monkeypatch):
    monkeypatch.setenv(*next(iter(ONE_THREAD.items())))
    settings = ["num_epochs=100", "trainer.validate_every=25", "data.num_workers=2"]
    whole, exp_dir = tmp_path / "whole", tmp_path / "exp"
    ended = forked.start(manifests, whole, *settings)
    ended.join(LIMIT)
    assert ended.exitcode == 0, whole.with_suffix(".log").read_text()
    dice, sessions = random.Random(1), set()
    for kill in range(KILLS):
        process = forked.start(
            manifests, exp_dir, *settings, "trainer.save_every_updates=2"
        )
        forked.wait(process, holds, exp_dir / "train", process)
        if kill % 3:  # among readings, updates and validations
            time.sleep(0.7 * dice.random())
        else:  # in the middle of saving
            forked.wait(process, saves, exp_dir)
        assert process.is_alive(), "it ended before it was killed so often"
        process.kill()
        sessions.add(process.pid)
    last = forked.start(manifests, exp_dir, *settings)
    last.join(LIMIT)
    assert last.exitcode == 0, exp_dir.with_suffix(".log").read_text()
    assert_same(exp_dir, whole)
    assert {path.name for path in exp_dir.rglob(".*")} == {".lock"}
    forked.wait_for_ends(sessions)


def test_sigterm_saves_and_says_how_to_go_on(manifests, tmp_path, whole):
    exp_dir = tmp_path / "exp"
    with started(manifests, exp_dir) as process:
        wait_for(checkpoints(exp_dir) / "epoch-2.pt", process)
        process.send_signal(signal.SIGTERM)
        output = process.communicate(timeout=LIMIT)[1]
    assert process.returncode == 130
    assert "everything is saved" in output
    assert "Traceback" not in output
    assert not list(checkpoints(exp_dir).glob(".*"))
    done = train(manifests, exp_dir, *RUN)
    assert done.returncode == 0, done.stderr
    assert_same(exp_dir, whole)


def test_a_damaged_newest_checkpoint(manifests, tmp_path, whole):
    exp_dir = tmp_path / "exp"
    kill_after(manifests, exp_dir, "epoch-3.pt")
    last = checkpoints(exp_dir) / "last.pt"
    with last.open("r+b") as file:
        file.truncate(last.stat().st_size // 2)
    done = train(manifests, exp_dir, *RUN)
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stderr.splitlines() if "is damaged" in line]
    assert len(lines) == 1
    assert "going on from previous.pt instead" in lines[0]
    for path in checkpoints(exp_dir).glob("*.damaged"):
        path.unlink()
    assert_same(exp_dir, whole)


def test_two_runs_in_one_folder(manifests, tmp_path, whole):
    exp_dir = tmp_path / "exp"
    with started(manifests, exp_dir) as process:
        wait_for(checkpoints(exp_dir) / "epoch-1.pt", process)
        process.send_signal(signal.SIGSTOP)
        second = train(manifests, exp_dir, *RUN)
        process.send_signal(signal.SIGCONT)
        output = process.communicate(timeout=LIMIT)[1]
    assert second.returncode == 2
    (line,) = [line for line in second.stderr.splitlines() if "error:" in line]
    assert "another run works in" in line
    assert f"process {process.pid} on" in line
    assert "Traceback" not in second.stderr
    assert process.returncode == 0, output
    assert_same(exp_dir, whole)


def test_a_full_disk_costs_nothing_that_was_saved(manifests, tmp_path, whole):
    exp_dir = tmp_path / "exp"
    with started(manifests, exp_dir) as process:
        wait_for(checkpoints(exp_dir) / "epoch-2.pt", process)
        # No file may grow beyond a kilobyte any more.
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (1000, 1000))
        output = process.communicate(timeout=LIMIT)[1]
    assert process.returncode == 2
    (line,) = [line for line in output.splitlines() if line.startswith("error:")]
    assert "cannot write" in line
    assert "free some disk space" in line
    torch.load(checkpoints(exp_dir) / "last.pt", weights_only=True)
    done = train(manifests, exp_dir, *RUN)
    assert done.returncode == 0, done.stderr
    assert_same(exp_dir, whole)


def test_a_clock_that_was_set_back(manifests, tmp_path, whole):
    exp_dir = tmp_path / "exp"
    kill_after(manifests, exp_dir, "epoch-2.pt")
    later = time.time() + 10 * 86400  # so the files seem to be from the future
    for path in exp_dir.rglob("*"):
        os.utime(path, (later, later))
    done = train(manifests, exp_dir, *RUN)
    assert done.returncode == 0, done.stderr
    assert "going on from" in done.stderr
    assert_same(exp_dir, whole)


def test_a_folder_that_can_only_be_read(manifests, tmp_path):
    if subprocess.run([*NAMESPACE, "true"], check=False).returncode != 0:
        pytest.skip("file systems cannot be mounted here")
    command = [
        sys.executable, ROOT / "scripts/train.py", f"data.manifests={manifests}",
        f"exp_dir={tmp_path / 'exp'}", *SETTINGS,
    ]  # fmt: skip
    done = subprocess.run(
        [*NAMESPACE, "sh", "-c", f'mount -t tmpfs -o ro none {tmp_path} && "$@"', "sh",
         *map(str, command)],
        capture_output=True, text=True, timeout=LIMIT, check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert f"cannot write into {tmp_path}/exp" in line
    assert "Read-only file system" in line
    assert "Traceback" not in done.stderr


def test_a_hopeless_rate_ends_with_a_report(manifests, tmp_path):
    exp_dir = tmp_path / "exp"
    done = train(
        manifests, exp_dir, *RUN, "optim=adamw", "optim.lr=1e30",
        "trainer.bad_updates_in_a_row=3",
    )  # fmt: skip
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "training cannot go on: 3 updates in a row" in done.stderr
    assert "going back to" in done.stderr
    listed = (exp_dir / "train" / "bad_updates.tsv").read_text().splitlines()
    assert len(listed) > 3
    assert "1-1-00" in listed[1]


def test_a_bad_batch_of_one_process_is_left_out_by_all(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    done = run(
        "tests/integration/one_bad_rank.py", tmp_path,
        launcher=TORCHRUN, timeout=LIMIT,
    )  # fmt: skip
    assert done.returncode != 0  # the second training stops
    for rank in (0, 1):
        found = json.loads((tmp_path / f"{rank}.json").read_text())
        assert found == {"equal": True, "finite": True, "total": 3}
    rows = (tmp_path / "exp" / "bad_updates.tsv").read_text().splitlines()[1:]
    cells = [row.split("\t") for row in rows]
    assert [(c[0], c[2], c[3] == "nan") for c in cells] == [
        ("3", "0", False), ("3", "1", True),
        ("5", "0", True), ("5", "1", False),
        ("9", "0", False), ("9", "1", True),
    ]  # fmt: skip
    (dumped,) = (tmp_path / "exp" / "bad_updates").iterdir()
    assert {f"rank-{rank}-batch-0.pt" for rank in (0, 1)} < {
        path.name for path in dumped.iterdir()
    }
    assert done.stderr.count("training cannot go on: 3 updates in a row") >= 1


def test_another_number_of_processes_goes_on(manifests, tmp_path):
    exp_dir = tmp_path / "exp"
    with started(manifests, exp_dir) as process:
        wait_for(checkpoints(exp_dir) / "epoch-2.pt", process)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=LIMIT)
    done = train(manifests, exp_dir, *RUN, launcher=TORCHRUN)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("processes was 1 and is 2") == 1


def test_a_lost_process_is_started_again(manifests, tmp_path):
    ends = []
    for name in ("whole", "lost"):
        exp_dir = tmp_path / name
        launcher = [*TORCHRUN, "--max-restarts=1"]
        with started(manifests, exp_dir, launcher=launcher) as process:
            if name == "lost":
                wait_for(checkpoints(exp_dir) / "epoch-2.pt", process)
                holder = (exp_dir / "train" / ".lock").read_text().split()[1]
                os.kill(int(holder), signal.SIGKILL)
            output = process.communicate(timeout=LIMIT)[1]
        assert process.returncode == 0, output
        assert ("going on from" in output) == (name == "lost")
        ends.append(exp_dir)
    assert_same(ends[1], ends[0])
