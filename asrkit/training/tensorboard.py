"""TensorBoard: the only file that knows it."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor


@dataclass
class Evaluation:
    """What validation found."""

    scalars: dict[str, float]
    """By name, e.g. loss_per_token, wer."""
    texts: dict[str, str] = field(default_factory=dict)
    """Markdown by name."""
    pictures: dict[str, Tensor] = field(default_factory=dict)
    """RGB images (3, H, W), uint8, by name."""


class TensorBoardLog:
    """Writes scalars, tables and pictures under `train/` and `valid/`.

    Args:
        folder: Where the event files go.
    """

    def __init__(self, folder: Path) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder), flush_secs=20)

    def train(self, scalars: Mapping[str, float], update: int) -> None:
        """Log scalars of training."""
        for name, value in scalars.items():
            self._writer.add_scalar(f"train/{name}", value, update)

    def valid(self, evaluation: Evaluation, update: int) -> None:
        """Log what validation found."""
        for name, value in evaluation.scalars.items():
            self._writer.add_scalar(f"valid/{name}", value, update)
        for name, text in evaluation.texts.items():
            self._writer.add_text(f"valid/{name}", text, update)
        for name, picture in evaluation.pictures.items():
            self._writer.add_image(f"valid/{name}", picture, update)
        self._writer.flush()

    def close(self) -> None:
        """Write what is still held back."""
        self._writer.close()


def reset_peak_memory(device: torch.device) -> None:
    """Forget the peak so far; of the process only where the system can (Linux)."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def peak_memory_gb(device: torch.device) -> float:
    """Return the most memory since the last reset: of the GPU, or of the process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e9
    import resource
    import sys

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e9 if sys.platform == "darwin" else 1e6)
