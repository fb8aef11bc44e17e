"""The gradient of one update: that of the mean over all batches of all processes."""

import contextlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from asrkit.training.distributed import World
from asrkit.training.stream import Batch, Group
from asrkit.utils.loss_output import LossOutput


@dataclass(frozen=True)
class Found:
    """What came of an update's forward and backward passes."""

    finite: bool
    """Whether loss and gradient are, over all processes: the same on each."""
    losses: list[Tensor]
    """Summed loss of each batch of this process, scalars."""
    norm: Tensor
    """Of the gradient, before clipping, a scalar."""
    stats: dict[str, Tensor]
    """Sums over all processes, scalars."""


class Gradients:
    """Computes gradients into the parameters of a task.

    Args:
        task: Maps a batch to a `LossOutput`; with several processes it is wrapped in
            DDP here, which gives all of them the weights of the first.
        parameters: Of the task, those that are trained.
        world: This process among its like.
        clip_norm: Largest norm of the gradient of the mean loss; 0 does not clip.
        autocast: Compute in bfloat16 where that is safe.
    """

    def __init__(
        self,
        task: nn.Module,
        parameters: Sequence[nn.Parameter],
        world: World,
        *,
        clip_norm: float,
        autocast: bool,
    ) -> None:
        self.module = task
        if world.size > 1:
            self.module = DistributedDataParallel(task, gradient_as_bucket_view=True)
        self.parameters = parameters
        self.world = world
        self.clip_norm = clip_norm
        self.autocast = autocast

    def __call__(self, group: Group) -> Found:
        """Set the gradients to those of the mean loss over the batches of a group."""
        self.module.train()
        losses: list[Tensor] = []
        sums: dict[str, Tensor] = {}
        for index, (batch, _) in enumerate(group):
            last = index == len(group) - 1
            output = self.backward(batch, synchronize=last)
            losses.append(output.loss.detach())
            # The last two stand apart from what the task calls its stats.
            added = {**output.stats, "": output.weight, " ": losses[-1]}
            for name, value in added.items():
                sums[name] = sums[name] + value if name in sums else value
        names = list(sums)
        summed = self.world.sum(torch.stack([sums[n].double() for n in names]))
        stats = dict(zip(names, summed, strict=True))
        weight, loss = stats.pop(""), stats.pop(" ")
        # DDP has averaged the gradients of sums; the mean wants their sum over ranks.
        scale = self.world.size / weight.clamp(min=1.0)
        gradients = [p.grad for p in self.parameters if p.grad is not None]
        torch._foreach_mul_(gradients, scale.to(torch.float32))
        norm = nn.utils.clip_grad_norm_(self.parameters, self.clip_norm or math.inf)
        finite = bool(torch.isfinite(norm) & torch.isfinite(loss))
        return Found(finite, losses, norm.detach(), stats)

    def backward(self, batch: Batch, *, synchronize: bool) -> LossOutput:
        """Add the gradient of one batch's summed loss."""
        hold: contextlib.AbstractContextManager[None] = contextlib.nullcontext()
        if isinstance(self.module, DistributedDataParallel) and not synchronize:
            hold = self.module.no_sync()
        device = self.world.device
        with hold:
            with torch.autocast(device.type, torch.bfloat16, enabled=self.autocast):
                output: LossOutput = self.module(batch.to(device))
            output.loss.backward()
        return output
