"""One process or many: what differs between them, in one place."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous


@dataclass(frozen=True)
class World:
    """This process among its like."""

    rank: int
    size: int
    device: torch.device

    @property
    def is_main(self) -> bool:
        """Whether this process writes files and prints."""
        return self.rank == 0

    def sum(self, values: Tensor) -> Tensor:
        """Sum a tensor over all processes."""
        if self.size > 1:
            dist.all_reduce(values)
        return values

    def gather(self, value: Any) -> list[Any]:
        """Collect an object of each process, in the order of ranks, on every one."""
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        dist.all_gather_object(values, value)
        return values

    def any(self, *flags: bool) -> list[bool]:
        """Say of each flag whether it is set on any process: the same on each."""
        if self.size == 1:
            return list(flags)
        counts = self.sum(torch.tensor([float(f) for f in flags], device=self.device))
        return [count > 0 for count in counts.tolist()]


@contextmanager
def join_world(device: str) -> Iterator[World]:
    """Join the processes that torchrun started; alone without torchrun.

    Args:
        device: "auto" (a GPU when there is one), "cpu" or "cuda".
    """
    rank = int(os.environ.get("RANK", "0"))
    size = int(os.environ.get("WORLD_SIZE", "1"))
    local_rank = int(os.environ.get("LOCAL_RANK", "0"))
    chosen = choose_device(device, local_rank)
    if chosen.type == "cuda":
        torch.cuda.set_device(chosen)
    if size == 1:
        yield World(rank, size, chosen)
        return
    backend = "nccl" if chosen.type == "cuda" else "gloo"
    dist.init_process_group(backend, store=_open_store(), rank=rank, world_size=size)
    try:
        yield World(rank, size, chosen)
    finally:
        dist.destroy_process_group()


def _open_store() -> Store:
    """Open the store by which torchrun's processes find each other.

    torchrun --max-restarts keeps one for all attempts (seen in torch 2.14), and a
    process that is up first would find the address of one that is dead. On one machine
    the attempts are counted alike for all processes, and so each gets its own part;
    several machines need TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1 when torchrun starts.
    """
    store: Store = next(rendezvous("env://"))[0]
    if os.environ.get("LOCAL_WORLD_SIZE") == os.environ["WORLD_SIZE"]:
        attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
        return PrefixStore(f"attempt-{attempt}", store)
    return store


def choose_device(device: str, local_rank: int = 0) -> torch.device:
    """Turn "auto", "cpu" or "cuda" into this process's device."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    return (
        torch.device(device, local_rank) if device == "cuda" else torch.device(device)
    )
