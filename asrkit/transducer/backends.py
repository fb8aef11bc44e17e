"""Who computes a loss, and what is there to compute it."""

import functools
import logging
import os
from enum import Enum
from types import ModuleType

import torch

from asrkit.utils.errors import InputError

logger = logging.getLogger(__name__)


class Backend(str, Enum):
    """Who computes a loss."""

    AUTO = "auto"
    """TRITON on a GPU where it works, TORCH elsewhere."""
    TORCH = "torch"
    """Plain tensor operations."""
    TRITON = "triton"
    """Our kernels; on a CPU only in Triton's interpreter (TRITON_INTERPRET=1)."""
    TORCHAUDIO = "torchaudio"
    """torchaudio's rnnt_loss."""
    K2 = "k2"
    """k2's rnnt_loss."""


def resolve(backend: Backend | str, device: torch.device) -> Backend:
    """Return the backend to take on a device.

    Raises:
        ValueError: There is no such backend.
        InputError: Triton was asked for and cannot run there.
    """
    backend = Backend(backend)
    if backend is Backend.TRITON:
        if device.type != "cuda" and os.environ.get("TRITON_INTERPRET") != "1":
            raise InputError(
                "backend=triton needs tensors on a GPU (or TRITON_INTERPRET=1, a slow "
                f"emulation for tests), these are on {device}; choose backend=torch"
            )
        import_package("triton")
    if backend is not Backend.AUTO:
        return backend
    return Backend.TRITON if _triton_works(device) else Backend.TORCH


def import_package(name: str) -> ModuleType:
    """Import an optional package.

    Raises:
        InputError: It cannot be imported; says what mends it.
    """
    hints = {
        "torchaudio": "pip install -e . installs the versions that go together",
        "triton": "it comes with torch's CUDA wheels for Linux",
        "k2": "take a wheel for your torch from https://k2-fsa.github.io/k2/",
    }
    try:
        return __import__(name)
    except (ImportError, OSError, RuntimeError) as error:
        raise InputError(
            f"backend={name} cannot import {name} ({error}); {hints[name]}"
        ) from error


@functools.cache
def _triton_works(device: torch.device) -> bool:
    """Say whether a kernel compiles and runs on a device; log once if not."""
    if device.type != "cuda":
        return False
    try:
        from asrkit.transducer.kernels import joiner, lattice
        from asrkit.transducer.rules import Rules

        arcs = torch.zeros(1, 1, 1, device=device)
        one = torch.zeros(1, dtype=torch.int64, device=device)
        lattice.scan(arcs, arcs, None, one)
        small = joiner.JoinerTensors(arcs[0], arcs[0], arcs[0], arcs[0, 0])
        joiner.arc_log_probs(small, joiner.TileRows(*[one.int()] * 3), Rules())
    except Exception as error:  # Triton's compiler fails in many ways
        logger.warning("Triton does not work here, torch takes over: %s", error)
        return False
    return True
