"""The gradient of one update: that of the mean over all batches of all processes."""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from asrkit.training.distributed import World
from asrkit.training.sharding import is_sharded, local, whole
from asrkit.training.stream import Batch, Group, ids_of
from asrkit.training.trouble.out_of_memory import (
    does_not_fit,
    free_memory,
    is_out_of_memory,
    size_asked_for,
)
from asrkit.utils.loss_output import LossOutput

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Update:
    """Result of an update's forward and backward passes."""

    finite: bool
    """Whether loss and gradient are, over all processes: the same on each."""
    losses: list[Tensor]
    """Summed loss of each batch of this process, scalars."""
    norm: Tensor
    """Of the gradient, before clipping, a scalar."""
    stats: dict[str, Tensor]
    """Sums over all processes, scalars."""


@dataclass(frozen=True)
class _Failure:
    """A batch that the memory did not hold."""

    batch: Batch
    message: str
    """The allocator's. The error itself would hold on to all activations."""


class Gradients:
    """Computes gradients into the parameters of a task.

    Backward passes need no other process; the gradients are summed over all of them
    when all batches of an update are done. So a process may pass its batches in as many
    parts as its memory asks for, and none waits for a parameter that another did not
    use. (Of a model that is shared out, FSDP sums each layer's gradient at once.)

    Args:
        task: Maps a batch to a `LossOutput`; gets the first process's weights.
        parameters: Of the task, those that are trained.
        world: The processes that work together, and this one's rank.
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
        self.task = task
        self.parameters = parameters
        self.world = world
        self.clip_norm = clip_norm
        self.autocast = autocast
        self.split_batches = 0
        """Batches of all processes that had to be halved."""
        self.sharded = is_sharded(task)
        state = list(task.state_dict(keep_vars=True).values())
        self._buffers = [t for t in state if not isinstance(t, nn.Parameter)]
        world.share(self._buffers if self.sharded else state)

    def __call__(self, group: Group) -> Update:
        """Set the gradients to those of the mean loss over the batches of a group.

        Raises:
            InputError: The memory does not even hold half of a batch.
        """
        self.task.train()
        outputs, splits = self._accumulate([batch for batch, _ in group])
        total = _add(outputs)
        # Some stand apart from what the task calls its stats.
        sums = {**total.stats, "": total.weight, " ": total.loss}
        sums["  "] = total.loss.new_tensor(splits)
        summed = self.world.sum(torch.stack([t.double() for t in sums.values()]))
        stats = dict(zip(sums, summed, strict=True))
        weight, loss, halved = (stats.pop(name) for name in ("", " ", "  "))
        if not self.sharded:
            self._sum()
        self.world.share(self._buffers)
        scale = 1.0 / weight.clamp(min=1.0)
        gradients = [local(p.grad) for p in self.parameters if p.grad is not None]
        torch._foreach_mul_(gradients, scale.to(torch.float32))
        norm = nn.utils.clip_grad_norm_(self.parameters, self.clip_norm or math.inf)
        norm = whole(local(norm), norm).detach()
        finite = bool(torch.isfinite(norm) & torch.isfinite(loss))
        self.split_batches += int(halved)  # read last: a GPU is waited for once
        return Update(finite, [output.loss for output in outputs], norm, stats)

    def _sum(self) -> None:
        """Sum the gradients over all processes; one that has none counts as 0.

        A parameter that no process has a gradient for is left without.
        """
        if self.world.size == 1:
            return
        flags = [float(p.grad is not None) for p in self.parameters]
        used = self.world.sum(torch.tensor(flags, device=self.world.device)).tolist()
        gradients = []
        for parameter, count in zip(self.parameters, used, strict=True):
            if count and parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            if parameter.grad is not None:
                gradients.append(parameter.grad)
        self.world.sum_each(gradients)

    def _accumulate(self, batches: Sequence[Batch]) -> tuple[list[LossOutput], int]:
        """Add up the gradients of batches, in halves where the memory asks for that.

        Returns:
            The output of each batch, detached, and how many batches were halved.
        """
        parts: list[tuple[Batch, ...]] = [(batch,) for batch in batches]
        outputs: list[LossOutput] = []
        while len(outputs) < len(parts):
            passed = self._pass(parts[len(outputs)])
            if isinstance(passed, LossOutput):
                outputs.append(passed)
                continue
            # What a backward pass has added before it broke off cannot be taken out
            # again, so all begins anew. Nothing is copied as long as nothing fails.
            for parameter in self.parameters:
                parameter.grad = None
            free_memory(self.world.device)
            parts[len(outputs)] = self._halve(passed, parts[len(outputs)])
            outputs.clear()
        return outputs, sum(len(part) - 1 for part in parts)

    def _pass(self, parts: Sequence[Batch]) -> LossOutput | _Failure:
        """Add the gradients of the parts of a batch, as far as the memory allows."""
        outputs = []
        for part in parts:
            try:
                outputs.append(self._backward(part))
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                return _Failure(part, str(error))
        return _add(outputs)

    def _halve(self, failure: _Failure, parts: Sequence[Batch]) -> tuple[Batch, Batch]:
        """Split a batch that has failed as a whole.

        Raises:
            InputError: It cannot be split (further).
        """
        ids = ids_of(failure.batch)
        why = None
        if self.sharded:
            why = "with trainer.shard_model=true none is split"
        elif len(parts) > 1:
            why = "this is half of one already"
        elif len(ids) < 2:
            why = "it is of one utterance"
        if why is not None:
            raise does_not_fit(self.task, failure.batch, failure.message, why)
        logger.warning(
            "a batch of %d utterances does not fit the memory (%s asked for) and is "
            "passed in two halves: %s",
            len(ids),
            size_asked_for(failure.message),
            " ".join(ids),
        )
        return failure.batch.split(len(ids) // 2)

    def _backward(self, batch: Batch) -> LossOutput:
        """Add the gradient of one batch's summed loss; return the output, detached."""
        device = self.world.device
        with torch.autocast(device.type, torch.bfloat16, enabled=self.autocast):
            output: LossOutput = self.task(batch.to(device))
        output.loss.backward()
        return LossOutput(output.loss.detach(), output.weight, output.stats)


def _add(outputs: Sequence[LossOutput]) -> LossOutput:
    """Sum outputs."""
    stats: dict[str, Tensor] = {}
    for output in outputs:
        for name, value in output.stats.items():
            stats[name] = stats[name] + value if name in stats else value
    loss = torch.stack([output.loss for output in outputs]).sum()
    weight = torch.stack([output.weight for output in outputs]).sum()
    return LossOutput(loss, weight, stats)
