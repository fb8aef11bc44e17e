"""One process or many: what differs between them, in one place."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous

_BUCKET = 32 * 2**20
"""Bytes that are sent at once: few enough not to matter beside the gradients."""
_PATIENCE = timedelta(hours=6)
"""Longest wait in a collective. More than trainer.stall_minutes: the watchdog ends a
run that hangs and says where; the processes that wait must not die before that."""


@dataclass(frozen=True)
class World:
    """The processes that work together, and this one's rank among them."""

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

    def sum_each(self, tensors: Sequence[Tensor]) -> None:
        """Sum each of some tensors over all processes, in place.

        All processes give tensors of the same shapes in the same order.
        """
        if self.size > 1:
            for bucket in _buckets(tensors):
                flat = _flatten(bucket)
                dist.all_reduce(flat)
                _unflatten(flat, bucket)

    def share(self, tensors: Sequence[Tensor]) -> None:
        """Give tensors the values that they have in the first process, in place."""
        if self.size > 1:
            for bucket in _buckets(tensors):
                flat = _flatten(bucket)
                dist.broadcast(flat, 0)
                _unflatten(flat, bucket)

    def gather(self, value: Any) -> list[Any]:
        """Collect an object of each process, in the order of ranks, on every one."""
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        dist.all_gather_object(values, value)
        return values

    def wait(self) -> None:
        """Go on when every process has come here: a barrier."""
        self.gather(None)

    def any(self, *flags: bool) -> list[bool]:
        """Say of each flag whether it is set on any process: the same on each."""
        if self.size == 1:
            return list(flags)
        counts = self.sum(torch.tensor([float(f) for f in flags], device=self.device))
        return [count > 0 for count in counts.tolist()]


def _buckets(tensors: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """Yield tensors of one kind together, as many as are sent at once."""
    ordered = sorted(tensors, key=lambda tensor: str(tensor.dtype))
    for _, alike in groupby(ordered, key=lambda tensor: tensor.dtype):
        bucket: list[Tensor] = []
        size = 0
        for tensor in alike:
            if bucket and size + tensor.nbytes > _BUCKET:
                yield bucket
                bucket, size = [], 0
            bucket.append(tensor)
            size += tensor.nbytes
        yield bucket


def _flatten(tensors: list[Tensor]) -> Tensor:
    """Copy tensors into one, (elements,)."""
    return torch.cat([tensor.detach().flatten() for tensor in tensors])


@torch.no_grad()
def _unflatten(flat: Tensor, tensors: list[Tensor]) -> None:
    """Copy what `_flatten` gave back into the tensors."""
    parts = flat.split([tensor.numel() for tensor in tensors])
    for tensor, part in zip(tensors, parts, strict=True):
        tensor.copy_(part.view(tensor.shape))


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
    dist.init_process_group(
        backend,
        store=_open_store(),
        rank=rank,
        world_size=size,
        timeout=_PATIENCE,
    )
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
