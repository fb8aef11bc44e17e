"""What the durations of a loss's paths are like: for those who watch a training."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import torch
from torch import Tensor

from asrkit.transducer.rules import Rules


@dataclass
class JumpSums:
    """Expectations over the paths of all lattices that were summed."""

    total: Tensor | None = None
    """Arcs of a path, frames that they move on by, and the entropy of the durations in
    the cells that they leave, nats: (3,); None: there was no lattice."""

    def add(
        self, arcs: Sequence[Tensor], occupations: Sequence[Tensor], rules: Rules
    ) -> None:
        """Add lattices; `arcs` as of `occupy_jumps`, and their occupations."""
        visits = occupations[0] + occupations[1]
        frames, entropy = torch.zeros_like(visits), torch.zeros_like(visits)
        for d, log_probs, share in zip(
            rules.durations, arcs[2:], occupations[2:], strict=True
        ):
            frames += d * share
            # Of -inf, in padding, the product with 0 would be no number.
            entropy -= log_probs.exp() * log_probs.clamp(min=-100.0)
        more = torch.stack([x.sum() for x in (visits, frames, visits * entropy)])
        self.total = more if self.total is None else self.total + more


_watching: ContextVar[JumpSums | None] = ContextVar("watching", default=None)


@contextmanager
def watch_jumps() -> Iterator[JumpSums]:
    """Add up the lattices with durations that are summed in this context."""
    sums = JumpSums()
    token = _watching.set(sums)
    try:
        yield sums
    finally:
        _watching.reset(token)


def show_jumps(
    arcs: Sequence[Tensor], occupations: Sequence[Tensor], rules: Rules
) -> None:
    """Hand lattices to whom they concern; arguments as of `JumpSums.add`."""
    if (sums := _watching.get()) is not None:
        sums.add(arcs, occupations, rules)
