"""Batches that the memory does not hold: how one sees it, and what one says."""

import gc
import re
from typing import Protocol, runtime_checkable

import torch
from torch import nn

from asrkit.training.stream import Batch, ids_of
from asrkit.utils.errors import InputError

_SIGNS = (
    "can't allocate memory",  # torch's allocator on a CPU
    "out of memory",  # CUDA, where not as torch.OutOfMemoryError
    "STATUS_ALLOC_FAILED",  # cuBLAS and cuDNN
)
_ASKED_FOR = re.compile(r"allocate ([\d.]+) ?(bytes|[KMGT]i?B)")


@runtime_checkable
class ExplainsMemory(Protocol):
    """A task that knows what takes the memory."""

    def explain_memory(self, batch: Batch) -> str:
        """Say how large the largest tensors of a batch are, and what to change."""
        ...


def is_out_of_memory(error: Exception) -> bool:
    """Say whether an error is a lack of memory, of the device or of the host."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return any(sign in str(error) for sign in _SIGNS)


def size_asked_for(message: str) -> str:
    """Return how much memory an error's message says was asked for, e.g. 1.50 GiB."""
    found = _ASKED_FOR.search(message)
    if found is None:
        return "more than there is"
    number, unit = found.groups()
    return f"{float(number) / 2**30:.2f} GiB" if unit == "bytes" else f"{number} {unit}"


def free_memory(device: torch.device) -> None:
    """Give back what is no longer used, in large pieces."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()


def does_not_fit(task: nn.Module, batch: Batch, message: str, why: str) -> InputError:
    """Explain a batch that cannot be trained on.

    Args:
        task: What is trained.
        batch: The smallest that was tried.
        message: What the allocator said.
        why: It is not made smaller.
    """
    explained = "train on smaller batches"
    if isinstance(task, ExplainsMemory):
        explained = task.explain_memory(batch)
    return InputError(
        f"a batch does not fit the memory ({size_asked_for(message)} asked for), and "
        f"{why}: {explained}. Utterances: {' '.join(ids_of(batch))}"
    )
