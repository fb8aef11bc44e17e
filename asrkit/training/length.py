"""How long to train."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Length:
    """How long to train."""

    num_epochs: float
    num_updates: int | None = None
    """Stops after so many updates instead, and the schedule follows them."""

    def done(self, epochs: float, update: int) -> float:
        """Return the share that is done, 0 to 1."""
        if self.num_updates is not None:
            return min(1.0, update / self.num_updates)
        return min(1.0, epochs / self.num_epochs)
