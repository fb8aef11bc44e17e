"""What a training step gives the trainer."""

from dataclasses import dataclass, field

from torch import Tensor


@dataclass
class LossOutput:
    """A loss as a sum and what to divide it by.

    The trainer divides by the weight summed over ranks and accumulation steps, so
    that one process, eight, and accumulation give the same gradient.
    """

    loss: Tensor
    """Sum over the batch, a scalar with gradient."""
    weight: Tensor
    """What to divide the sum by, a scalar without gradient."""
    stats: dict[str, Tensor] = field(default_factory=dict)
    """Detached sums for logging, scalars."""
