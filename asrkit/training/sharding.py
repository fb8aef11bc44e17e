"""A model whose weights, gradients and optimizer state are shared out over processes.

FSDP2 keeps a part of every tensor's rows in each process, puts a layer together when
its turn has come, and gives the rest back afterwards. All else in training deals with
such tensors by the functions here; tensors that are whole pass them unchanged.
"""

import logging
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeGuard

import torch
import torch.distributed as dist
from torch import Tensor, nn

from asrkit.training.distributed import World

if TYPE_CHECKING:
    from torch.distributed.tensor import DTensor

logger = logging.getLogger(__name__)


def shard(task: nn.Module, optimizer: torch.optim.Optimizer, world: World) -> bool:
    """Share a task's weights out over the processes: each layer, and the rest.

    A layer is an element of an `nn.ModuleList` called blocks.

    Args:
        task: On the device, with the same weights on all processes afterwards.
        optimizer: Of its parameters, before its first update.
        world: This process among its like.

    Returns:
        Whether there is anyone to share with.
    """
    if world.size == 1:
        logger.info("trainer.shard_model: there is one process, so nothing to share")
        return False
    # A second of imports, for whoever shares only.
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    state = task.state_dict(keep_vars=True)
    world.share(list(state.values()))
    names = {id(p): name for name, p in task.named_parameters()}
    mesh = init_device_mesh(world.device.type, (world.size,))
    for module in [*layers(task), task]:
        unit = fully_shard(module, mesh=mesh)
        # Gradients are sums here, not means; and gloo knows sums alone.
        unit.set_gradient_divide_factor(1.0)
        unit.set_force_sum_reduction_for_comms(True)
    parts = dict(task.named_parameters())
    for group in optimizer.param_groups:
        group["params"] = [parts[names[id(p)]] for p in group["params"]]
    return True


def layers(task: nn.Module) -> list[nn.Module]:
    """List the layers that are put together one at a time."""
    return [
        layer
        for name, module in task.named_modules()
        if isinstance(module, nn.ModuleList) and name.split(".")[-1] == "blocks"
        for layer in module
    ]


def is_sharded(module: nn.Module) -> bool:
    """Say whether a module's weights are shared out over processes."""
    fsdp = sys.modules.get("torch.distributed.fsdp")
    return fsdp is not None and isinstance(module, fsdp.FSDPModule)


def is_part(tensor: object) -> TypeGuard["DTensor"]:
    """Say whether a tensor is shared out; there is none before `shard` has imported."""
    package = sys.modules.get("torch.distributed.tensor")
    return package is not None and isinstance(tensor, package.DTensor)


def local(tensor: Tensor) -> Tensor:
    """Return what this process has of a tensor, in the same memory."""
    return tensor.to_local() if is_part(tensor) else tensor


def part_of(tensor: Tensor, like: Tensor) -> Tensor:
    """Share out a tensor, the same on all processes, as another one is."""
    if not is_part(like):
        return tensor
    from torch.distributed.tensor import distribute_tensor

    return distribute_tensor(
        tensor, like.device_mesh, like.placements, src_data_rank=None
    )


def whole(part: Tensor, like: Tensor) -> Tensor:
    """Put the parts of all processes together; they are shared out as another one is.

    Args:
        part: Of this process.
        like: Says how, and which shape the whole has.
    """
    if not is_part(like):
        return part
    together = type(like).from_local(
        part,
        like.device_mesh,
        like.placements,
        run_check=False,
        shape=like.shape,
        stride=like.stride(),
    )
    return together.full_tensor()


def sum_parts(values: Tensor, like: Sequence[Tensor]) -> Tensor:
    """Sum what each process has computed from its parts of tensors, in place.

    Args:
        values: To sum.
        like: The tensors; if they are whole, so are the values.
    """
    if like and is_part(like[0]):
        dist.all_reduce(values, group=like[0].device_mesh.get_group())
    return values


def norms(tensors: Sequence[Tensor]) -> Tensor:
    """Return the norms of whole tensors, (N,), of which this process may have parts."""
    own = torch.stack(torch._foreach_norm([local(tensor) for tensor in tensors]))
    if not is_part(tensors[0]):
        return own
    return sum_parts(own.square(), tensors).sqrt()


def whole_state(state: Any) -> Any:
    """Put all that is shared out in a state together; all processes take part.

    Returns:
        The same with whole tensors, those in the host's memory; only the first process
        has them, the others have None in their place.
    """
    if is_part(state):
        full = state.full_tensor()
        return full.cpu() if dist.get_rank() == 0 else None
    if isinstance(state, Mapping):
        return {name: whole_state(value) for name, value in state.items()}
    if isinstance(state, list):
        return [whole_state(value) for value in state]
    return state


def load_whole(module: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Load whole weights into a module, which may have parts of them."""
    own = module.state_dict()
    # A name too many, or too few, is for load_state_dict to complain about.
    parts = {name: part_of(t, own.get(name, t)) for name, t in state.items()}
    module.load_state_dict(parts)


def load_whole_optimizer(
    optimizer: torch.optim.Optimizer, state: Mapping[str, Any]
) -> None:
    """Load the state of an optimizer of whole weights into one of parts of them."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    parts = {
        index: {
            # What has another shape than the parameter is not shared out.
            name: part_of(value, like)
            if isinstance(value, Tensor) and value.shape == like.shape
            else value
            for name, value in state["state"][index].items()
        }
        for index, like in enumerate(parameters)
        if index in state["state"]
    }
    optimizer.load_state_dict({**state, "state": parts})
