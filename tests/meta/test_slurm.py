"""scripts/slurm.sh, with small stand-ins for SLURM's commands."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCONTROL = """#!/bin/sh
echo "scontrol $*" >>calls.txt
[ "$1" != show ] || printf 'node7\\nnode8\\n'
"""
SRUN = """#!/bin/bash
echo "srun $*" >>calls.txt
trap 'echo saved >>calls.txt; exit 130' TERM
if [ -e long ]; then
    touch running
    while :; do sleep 0.05; done
fi
exit $(cat status)
"""


@pytest.fixture
def job(tmp_path):
    """Start the script as SLURM would; return the process and what was called."""
    shutil.copy(ROOT / "scripts/slurm.sh", tmp_path)
    for name, text in [("scontrol", SCONTROL), ("srun", SRUN)]:
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)

    def start(status=0):
        (tmp_path / "status").write_text(str(status))
        environment = {
            "PATH": f"{tmp_path}:{os.environ['PATH']}", "SLURM_JOB_ID": "45123",
            "SLURM_JOB_NODELIST": "node[7-8]", "SLURM_JOB_NUM_NODES": "2",
            "SLURM_GPUS_ON_NODE": "8",
        }  # fmt: skip
        return subprocess.Popen(
            ["bash", "slurm.sh", "exp_dir=exp/x", "seed=1"], cwd=tmp_path,
            env=environment,
        )  # fmt: skip

    return start, tmp_path


def calls(folder):
    return (folder / "calls.txt").read_text().splitlines()


def test_one_torchrun_a_machine(job):
    start, folder = job
    with start() as process:
        assert process.wait(timeout=30) == 0
    show, srun = calls(folder)
    assert show == "scontrol show hostnames node[7-8]"
    assert "--nnodes 2 --nproc-per-node 8" in srun
    assert "--rdzv-endpoint node7:25123" in srun
    assert srun.endswith("scripts/train.py exp_dir=exp/x seed=1")


def test_a_failure_is_no_reason_to_start_again(job):
    start, folder = job
    with start(status=2) as process:
        assert process.wait(timeout=30) == 2
    assert len(calls(folder)) == 2


def test_a_job_that_is_stopped_saves_and_goes_back_into_the_queue(job):
    start, folder = job
    (folder / "long").touch()
    with start() as process:
        while not (folder / "running").exists():
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
    assert calls(folder)[2:] == ["saved", "scontrol requeue 45123"]
