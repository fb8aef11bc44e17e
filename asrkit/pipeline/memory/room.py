"""How much memory there is for training."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from asrkit.utils.errors import InputError
from asrkit.utils.memory import PeakMemory

# What stays free: of a limit that was given, for what memory grows by after the first
# updates; of free memory, for the other processes too (readers of audio among them).
_OF_LIMIT, _OF_FREE = 0.96, 0.8


@dataclass(frozen=True)
class Room:
    """Memory for updates: imports, data and whatever else is held now do not count."""

    bytes: float
    """What updates may take at their peak."""
    limit: float
    """What there is in all, bytes."""
    held: float
    """What is held already, bytes."""
    name: str
    """What sets the limit."""

    def describe(self) -> str:
        """Say it in a line."""
        return (
            f"{self.name} is {self.limit / 1e9:.2f} GB; {self.held / 1e9:.2f} are held "
            f"already, updates may take {self.bytes / 1e9:.2f}"
        )


def find_room(device: torch.device, memory_gb: float | None) -> Room:
    """Find out how much memory updates may take.

    Args:
        device: Where training runs.
        memory_gb: data.memory_gb, GB; None: what is free.

    Raises:
        InputError: There is less than what is held already, or the system does not
            tell.
    """
    if device.type == "cuda":
        held, part, name = 0.0, _OF_LIMIT, f"free memory of {device}"
        limit = float(torch.cuda.mem_get_info(device)[0])
    elif not Path("/proc/meminfo").is_file():
        raise InputError(
            "data.max_duration=auto measures memory on Linux or a GPU only; give a "
            "number of seconds"
        )
    else:
        held, part = PeakMemory(device).before * 2**20, _OF_FREE
        # The processes of a machine share it.
        share = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
        limit, name = held + free_memory() // share, "free memory"
    if memory_gb is not None:
        limit, part, name = memory_gb * 1e9, _OF_LIMIT, "data.memory_gb"
    room = Room(part * limit - held, limit, held, name)
    if room.bytes <= 0:
        raise InputError(
            f"{name} gives {limit / 1e9:.2f} GB, but {held / 1e9:.2f} GB are in use "
            "before the first update; raise data.memory_gb or give data.max_duration"
        )
    return room


def free_memory(
    proc: Path = Path("/proc"), cgroups: Path = Path("/sys/fs/cgroup")
) -> int:
    """Return what this machine, or any group the process is in, can still give, bytes.

    Args:
        proc: Where the system tells of itself.
        cgroups: Where groups of processes have their limits (version 2): containers,
            SLURM's jobs.
    """
    available = _read(proc / "meminfo")["MemAvailable:"] * 1024
    return min([available, *_left(proc, cgroups)])


def _left(proc: Path, cgroups: Path) -> Iterator[int]:
    """Yield what is left of the limit of each group, from the innermost out."""
    own = (proc / "self" / "cgroup").read_text(encoding="ascii").rpartition("0::/")[2]
    folder = cgroups / own.strip()
    for group in (folder, *folder.parents):
        limit = group / "memory.max"
        if limit.is_file() and (text := limit.read_text(encoding="ascii")) != "max\n":
            used = int((group / "memory.current").read_text(encoding="ascii"))
            # Copies of files are dropped when memory is needed.
            yield int(text) - used + _read(group / "memory.stat")["inactive_file"]
        if group == cgroups:
            return


def _read(path: Path) -> dict[str, int]:
    """Read lines of a name and a number."""
    lines = path.read_text(encoding="ascii").splitlines()
    return {name: int(number) for name, number, *_ in map(str.split, lines)}
