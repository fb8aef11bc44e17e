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
    """Of the gradient, without that of `apart`, before clipping, a scalar."""
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
        apart: Names of the task's modules whose gradient is clipped by a norm of its
            own, and changes nothing for the others.
        clip_norm: Largest norm of the gradient of the mean loss; 0 does not clip.
        autocast: Compute in bfloat16 where that is safe.
    """

    def __init__(
        self,
        task: nn.Module,
        parameters: Sequence[nn.Parameter],
        world: World,
        *,
        apart: Sequence[str] = (),
        clip_norm: float,
        autocast: bool,
    ) -> None:
        self.task = task
        self.parameters = parameters
        self.world = world
        # By name: sharing out has put others in the place of the parameters.
        modules = [task.get_submodule(name) for name in apart]
        own = {id(p) for module in modules for p in module.parameters()}
        self._together = [p for p in parameters if id(p) not in own]
        self._apart = [p for p in parameters if id(p) in own]
        self.clip_norm = clip_norm
        self.autocast = autocast
        self.split_batches = 0
        """Batches of all processes that had to be halved."""
        self.sharded = is_sharded(task)
        state = list(task.state_dict(keep_vars=True).values())
        self._buffers = [t for t in state if not isinstance(t, nn.Parameter)]
        world.share(self._buffers if self.sharded else state)
        self._versions = [buffer._version for buffer in self._buffers]

    def __call__(self, group: Group) -> Update:
        """Set the gradients to those of the mean loss over the batches of a group.

        Raises:
            InputError: The memory does not even hold half of a batch.
        """
        self.task.train()
        outputs, halved = self._accumulate([batch for batch, _ in group])
        facts = [halved, *self._sum(), *self._changed_buffers()]
        total, counts = self._merge(_add(outputs), facts)
        scale = 1.0 / total.weight.clamp(min=1.0)
        gradients = [local(p.grad) for p in self.parameters if p.grad is not None]
        torch._foreach_mul_(gradients, scale.to(torch.float32))
        norm, other = self._clip(self._together), self._clip(self._apart)
        finite = torch.isfinite(norm) & torch.isfinite(other)
        finite &= torch.isfinite(total.loss)
        # All that the host has to know, in one wait for the device.
        known = torch.cat([finite[None].to(counts), counts]).tolist()
        self.split_batches += int(known[1])
        self._follow(known[2:])
        losses = [output.loss for output in outputs]
        return Update(bool(known[0]), losses, norm, total.stats)

    def _clip(self, parameters: Sequence[nn.Parameter]) -> Tensor:
        """Clip the gradient of some parameters; return its norm before, a scalar."""
        norm = nn.utils.clip_grad_norm_(parameters, self.clip_norm or math.inf)
        return whole(local(norm), norm).detach()

    def _sum(self) -> list[bool]:
        """Sum the gradients over all processes; one that has none counts as 0.

        Returns:
            Of each parameter, whether this process has had a gradient for it.
        """
        used = [p.grad is not None for p in self.parameters]
        if self.world.size > 1 and not self.sharded:
            for parameter in self.parameters:
                if parameter.grad is None:
                    parameter.grad = torch.zeros_like(parameter)
            self.world.sum_each([p.grad for p in self.parameters if p.grad is not None])
        return used

    def _changed_buffers(self) -> list[bool]:
        """Say of each buffer whether this update's passes have written to it."""
        pairs = zip(self._buffers, self._versions, strict=True)
        return [buffer._version != version for buffer, version in pairs]

    def _merge(
        self, own: LossOutput, facts: Sequence[bool | int]
    ) -> tuple[LossOutput, Tensor]:
        """Sum an output and what only the host knows over all processes, at once.

        Returns:
            The output, float64, and the facts, float64, on the device.
        """
        sums = [own.loss, own.weight, *own.stats.values()]
        values = torch.stack([value.double() for value in sums])
        merged = self.world.sum(torch.cat([values, values.new_tensor(facts)]))
        loss, weight, *stats = merged[: len(sums)]
        named = dict(zip(own.stats, stats, strict=True))
        return LossOutput(loss, weight, named), merged[len(sums) :]

    def _follow(self, counts: Sequence[float]) -> None:
        """Leave without a gradient what no process used; take the first's buffers.

        Args:
            counts: Of each parameter, then of each buffer, on how many processes it was
                used, or written to.
        """
        size = len(self.parameters)
        for parameter, count in zip(self.parameters, counts[:size], strict=True):
            if not count:
                parameter.grad = None
        pairs = zip(self._buffers, counts[size:], strict=True)
        self.world.share([buffer for buffer, count in pairs if count])
        self._versions = [buffer._version for buffer in self._buffers]

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
