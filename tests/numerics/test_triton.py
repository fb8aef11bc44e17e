"""Runs triton_checks.py: in Triton's interpreter on the CPU, and on a GPU."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]


def run_checks(device, interpret):
    """Run them in a new process: Triton's mode is that of its import."""
    environment = {
        **os.environ,
        "ASRKIT_TRITON_DEVICE": device,
        "TRITON_INTERPRET": interpret,
        "OMP_NUM_THREADS": "1",
    }
    checks = "tests/numerics/triton_checks.py"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", checks]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def release(package):
    return tuple(int(part) for part in package.__version__.split(".")[:2])


@pytest.mark.slow
def test_kernels_in_the_interpreter():
    triton = pytest.importorskip("triton")
    if release(triton) < (3, 7) and release(np) >= (2, 4):
        pytest.skip("this Triton's interpreter fails with this NumPy")
    run_checks("cpu", "1")


@pytest.mark.gpu
def test_kernels_on_a_gpu():
    pytest.importorskip("triton")
    if not torch.cuda.is_available():
        pytest.skip("no GPU")
    run_checks("cuda", "0")
