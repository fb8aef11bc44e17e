"""What a bad update was: its batches, the weights, and what the modules gave out."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from asrkit.training.checkpoints.checkpoint import save_checkpoint
from asrkit.training.checkpoints.rng import rng_state, set_rng_state
from asrkit.training.distributed import World
from asrkit.training.sharding import whole_state
from asrkit.training.stream import Batch, Group
from asrkit.utils.files import atomic_write

_COLUMNS = ("shape", "not_finite", "min", "max", "mean", "std")


def dump_update(
    task: nn.Module, group: Group, folder: Path, *, world: World, autocast: bool
) -> None:
    """Write an update's batches, gradients and activations, and the weights.

    Tensors go to .pt files, which `torch.load(weights_only=True)` reads, statistics to
    tab-separated text. The activations are those of another forward pass, with other
    random numbers than the first.

    Args:
        task: What is trained; its gradients are those of the update.
        group: The batches of this process.
        folder: Where to; every process writes files of its own name.
        world: The processes that work together, and this one's rank.
        autocast: Compute in bfloat16 where that is safe.

    Raises:
        InputError: The files cannot be written.
    """
    weights = whole_state(task.state_dict())
    gradients = {n: whole_state(p.grad) for n, p in task.named_parameters()}
    if world.is_main:
        save_checkpoint(weights, folder / "weights.pt")
        rows = {n: statistics(g) for n, g in gradients.items() if g is not None}
        write_rows(rows, folder / "gradients.tsv")
    for number, (batch, _) in enumerate(group):
        name = f"rank-{world.rank}-batch-{number}"
        save_checkpoint(plain(batch), folder / f"{name}.pt")
        rows = run_again(task, batch, world.device, autocast=autocast)
        write_rows(rows, folder / f"{name}-activations.tsv")


@torch.no_grad()
def run_again(
    task: nn.Module, batch: Batch, device: torch.device, *, autocast: bool
) -> dict[str, list[str]]:
    """Return statistics of what every module gives out for a batch, in that order.

    Args:
        task: In training mode; its random numbers are as if nothing had been run.
        batch: On any device.
        device: Of the task.
        autocast: Compute in bfloat16 where that is safe.
    """
    rows: dict[str, list[str]] = {}
    hooks = [
        module.register_forward_hook(_Note(rows, name or "loss"))
        for name, module in task.named_modules()
    ]
    before = rng_state(device)
    try:
        with torch.autocast(device.type, torch.bfloat16, enabled=autocast):
            task(batch.to(device))
    finally:
        set_rng_state(before, device)
        for hook in hooks:
            hook.remove()
    return rows


class _Note:
    """A hook that takes statistics of a module's output."""

    def __init__(self, rows: dict[str, list[str]], name: str) -> None:
        self.rows = rows
        self.name = name

    def __call__(self, module: nn.Module, inputs: Any, output: Any) -> None:
        for index, tensor in enumerate(_floats(output)):
            name = f"{self.name}.{index}" if index else self.name
            self.rows[name] = statistics(tensor)


def _floats(value: Any) -> list[Tensor]:
    """List the floating-point tensors in an output."""
    if isinstance(value, Tensor):
        return [value] if value.is_floating_point() else []
    value = plain(value)
    if isinstance(value, Mapping):
        value = list(value.values())
    return [t for one in value for t in _floats(one)] if isinstance(value, list) else []


def write_rows(rows: Mapping[str, list[str]], path: Path) -> None:
    """Write tab-separated text: a line of statistics for each name."""
    with atomic_write(path, "w") as file:
        file.write("\t".join(["name", *_COLUMNS]) + "\n")
        for name, row in rows.items():
            file.write("\t".join([name, *row]) + "\n")


def statistics(tensor: Tensor) -> list[str]:
    """Return shape, how many values are not finite, and numbers about the others."""
    finite = tensor[torch.isfinite(tensor)].double()
    shape = "x".join(map(str, tensor.shape)) or "scalar"
    row = [shape, str(tensor.numel() - finite.numel())]
    if not finite.numel():
        return [*row, *["nan"] * 4]
    numbers = (finite.min(), finite.max(), finite.mean(), finite.std(correction=0))
    return row + [f"{float(number):.6g}" for number in numbers]


def plain(value: Any) -> Any:
    """Turn dataclasses into dicts, down to tensors, numbers and text."""
    if isinstance(value, Tensor):
        return value.detach().cpu()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)
        }
    if isinstance(value, Mapping):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if value is None or isinstance(value, bool | int | float | str | bytes):
        return value
    return repr(value)
