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

    def unspent(self, epochs: float, update: int) -> tuple[int, float]:
        """Return what is left of it, as updates and as epochs, at the pace so far.

        Args:
            epochs: Done, above 0.
            update: Done, above 0.
        """
        left = 1.0 / self.done(epochs, update) - 1.0
        return round(update * left), epochs * left
