"""A running average of the weights: what is validated, and what one decodes with."""

import copy

import torch
from torch import nn


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
        self.module = copy.deepcopy(module).eval().requires_grad_(False)
        self.updates = 0
        self._pairs = self._pair(module)

    def _pair(self, module: nn.Module) -> tuple[list[torch.Tensor], ...]:
        """List the averaged tensors and those that they follow."""
        source = module.state_dict()
        names = [n for n, t in source.items() if t.is_floating_point()]
        own = self.module.state_dict()
        return [own[n] for n in names], [source[n] for n in names]

    @torch.no_grad()
    def update(self) -> None:
        """Take in the module's weights after an update of the optimizer."""
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        own, source = self._pairs
        torch._foreach_lerp_(own, source, 1.0 - decay)
