"""A running average of the weights: what is validated, and what one decodes with."""

import copy
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from asrkit.training.sharding import local, part_of, whole, whole_state


class RunningAverage:
    """An exponential moving average of a module's floating-point state.

    The decay rises with the number of updates, min(decay, (1 + n) / (10 + n)), so that
    the average forgets the random start quickly.

    Args:
        module: Whose weights are averaged; copied.
        decay: Highest decay; 0 makes the average follow the module.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.updates = 0
        self._module = copy.deepcopy(module).eval().requires_grad_(False)
        self._own: dict[str, Tensor] = self._module.state_dict()
        self._pairs = self._pair(module)
        self._sharded = False

    def shard(self, module: nn.Module) -> None:
        """Keep parts of the tensors only, as the module now does; before any update."""
        self._own = {name: t.clone() for name, t in module.state_dict().items()}
        self._pairs = self._pair(module)
        self._sharded = True
        for tensor in self._module.state_dict(keep_vars=True).values():
            tensor.data = tensor.new_empty(0)  # gives its memory back

    def _pair(self, module: nn.Module) -> tuple[list[Tensor], list[Tensor]]:
        """List the averaged tensors and those that they follow."""
        source = module.state_dict()
        names = [n for n, t in source.items() if t.is_floating_point()]
        own = [local(self._own[n]) for n in names]
        return own, [local(source[n]) for n in names]

    @property
    def module(self) -> nn.Module:
        """The averaged module; a whole copy, made by all processes, if it is shared."""
        if not self._sharded:
            return self._module
        module = copy.deepcopy(self._module)
        for name, tensor in module.state_dict(keep_vars=True).items():
            tensor.data = whole(local(self._own[name]), self._own[name])
        return module

    def state_dict(self) -> dict[str, Tensor]:
        """Return the averaged tensors, whole; see `whole_state`."""
        state: dict[str, Tensor] = whole_state(self._own)
        return state

    @torch.no_grad()
    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Set what `state_dict` returned."""
        if not self._sharded:
            self._module.load_state_dict(state)
            return
        # A name too many, or too few, is for the module's load_state_dict to see.
        for name, tensor in state.items():
            self._own[name].copy_(part_of(tensor, self._own[name]))

    @torch.no_grad()
    def update(self) -> None:
        """Take in the module's weights after an update of the optimizer."""
        self.updates += 1
        # A window of about a tenth of the updates so far, until it reaches 1 / (1 -
        # decay).
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        own, source = self._pairs
        torch._foreach_lerp_(own, source, 1.0 - decay)
