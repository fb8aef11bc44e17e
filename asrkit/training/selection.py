"""Which weights are the best on dev."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

NO_START = "the stage began without a validation of its start, which cannot be the best"
"""What is said where a checkpoint of an earlier version is gone on from."""


@dataclass
class Selection:
    """Keeps the lowest value of a scalar of validation; the same on all processes.

    Of equal values the later one is the best: it was trained for longer.
    """

    scalar: str
    """Of validation; the lowest wins."""
    never_worse: bool = False
    """The weights from before the first update may be the best, too."""
    best: float = math.inf
    before: float | None = None
    """Value before the first update, where it counts."""
    after: float = math.inf
    """Best value after updates."""

    def take(self, scalars: Mapping[str, float]) -> bool:
        """Take in what a validation has found; say whether it is the best so far."""
        value = scalars[self.scalar]
        self.after = min(self.after, value)
        return self._is_best(value)

    def take_start(self, scalars: Mapping[str, float]) -> bool:
        """Take in what was found before the first update; say whether it counts."""
        self.before = scalars[self.scalar]
        return self._is_best(self.before)

    def facts(self) -> dict[str, float]:
        """Return the best value and, where the start counts, that and the others'."""
        found = {self.scalar: self.best}
        if self.before is not None:
            found[f"{self.scalar}_before"] = self.before
            found[f"{self.scalar}_after"] = self.after
        return found

    def describe(self) -> str | None:
        """Say that the start has stayed the best, if it has."""
        if self.before is None or not self.before < self.after:
            return None
        return (
            f"dev {self.scalar} was {self.before:.4g} before the stage and "
            f"{self.after:.4g} at best after: the weights from before are kept"
        )

    def state_dict(self) -> dict[str, Any]:
        """Return plain values for a checkpoint."""
        return {
            "best": self.best,
            "dev_before": self.before,
            "dev_after": self.after,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Set what `state_dict` returned, or an earlier version, which had `best`."""
        self.best = state["best"]
        self.before = state.get("dev_before")
        self.after = state.get("dev_after", self.best)

    def _is_best(self, value: float) -> bool:
        if value <= self.best:
            self.best = value
            return True
        return False
