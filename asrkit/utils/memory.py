"""How much memory a piece of work needs at its peak."""

import contextlib
import resource
import sys
from pathlib import Path

import torch


class PeakMemory:
    """Peak memory of this process (CPU; Linux only) or of tensors on a GPU.

    Args:
        device: Whose memory. What is in use now does not count.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        reset_peak_memory(device)
        if device.type == "cuda":
            self.before = torch.cuda.memory_allocated(device) / 2**20
        else:
            self.before = _resident("VmRSS") / 2**20

    def read(self) -> float:
        """Return the peak since the start, MiB."""
        return peak_memory(self.device) / 2**20 - self.before


def reset_peak_memory(device: torch.device) -> None:
    """Forget the peak so far; of the process only where the system can (Linux)."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def peak_memory(device: torch.device) -> int:
    """Return the most memory, of the GPU or of the process, since the reset, bytes."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if sys.platform == "linux":
        return _resident("VmHWM")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _resident(name: str) -> int:
    """Return a size of this process that Linux counts, bytes.

    Not getrusage's ru_maxrss: Linux hands a parent's peak on to the programs that it
    starts, so that a small one seems as large as a large shell or notebook was.
    """
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))
