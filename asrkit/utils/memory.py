"""How much memory a piece of work needs at its peak."""

from pathlib import Path

import torch


class PeakMemory:
    """Peak memory of this process (CPU; Linux only) or of tensors on a GPU.

    Args:
        device: Whose memory. What is in use now does not count.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
            self.before = torch.cuda.memory_allocated(device) / 2**20
        else:
            # Forget the peak so far.
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
            self.before = _resident("VmRSS")

    def read(self) -> float:
        """Return the peak since the start, MiB."""
        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated(self.device) / 2**20 - self.before
        return _resident("VmHWM") - self.before


def _resident(name: str) -> float:
    """Return a size of this process that Linux counts, MiB."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(name))
