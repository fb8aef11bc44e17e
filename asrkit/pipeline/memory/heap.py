"""Freed memory is returned to the system at once, so that peaks can be predicted."""

import ctypes

import torch

_MMAP_THRESHOLD = -3  # M_MMAP_THRESHOLD of glibc's malloc.h
_LARGE = 4 * 2**20  # bytes


def steady_heap(device: torch.device) -> None:
    """Have large blocks of a CPU's memory mapped one by one from now on.

    Otherwise glibc raises the size from which it does so to that of every block that
    is freed, and how much the holes in between take depends on which batches came
    before: a third more or less has been seen. It costs some time for fresh pages.
    Other C libraries stay as they are.
    """
    libc = ctypes.CDLL(None)
    if device.type == "cpu" and hasattr(libc, "mallopt"):
        libc.mallopt(_MMAP_THRESHOLD, _LARGE)
