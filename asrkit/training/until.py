"""When a training has done what it is for, before its budget is spent."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from asrkit.utils.ranges import check_range


class Memory(Protocol):
    """What a scalar of validation is computed with, from one validation to the next."""

    def state_dict(self) -> dict[str, Any]:
        """Return tensors and plain values for a checkpoint."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Set what `state_dict` returned; nothing: begin anew."""
        ...


@dataclass(kw_only=True)
class UntilConfig:
    """Ends a stage at a validation by which a scalar of dev has come to rest."""

    scalar: str | None = None
    """Of validation: loss_per_token, loss_per_frame, wer (cer or mer by decode.unit),
    expected_risk_per_token, or labels_moved, where CTC is trained: the share of dev's
    labels that it aligns more than one frame away from where it did at the validation
    before. null: the stage takes its whole budget."""
    improvement: float | None = None
    """At rest: it has fallen by less than this share of itself, 0 to 1."""
    below: float | None = None
    """At rest: it is below this value."""
    patience: int = 2
    """Validations in a row that have to find it at rest."""
    least: float = 0.3
    """Share of the budget, num_updates or num_epochs, that is spent in any case."""

    def __post_init__(self) -> None:
        """Check the values."""
        check_range(self, "until", "improvement", least=0, below=1)
        check_range(self, "until", "below", above=0)
        check_range(self, "until", "patience", least=1)
        check_range(self, "until", "least", least=0, most=1)
        given = [self.improvement, self.below]
        if given.count(None) != (2 if self.scalar is None else 1):
            raise ValueError(
                "until: give a scalar and one of improvement (it falls no more) and "
                "below (it is low enough), or none of the three"
            )

    def build(self, memory: Memory | None = None) -> "Until | None":
        """Make what watches the scalar, if there is one; see `Until`."""
        if self.scalar is None:
            return None
        return Until(
            scalar=self.scalar,
            improvement=self.improvement,
            below=self.below,
            patience=self.patience,
            least=self.least,
            memory=memory,
        )


@dataclass(kw_only=True)
class Until:
    """Watches a scalar of validation that falls; the same on all processes.

    With `improvement` d, a value v is an improvement on the last one that was, v0, if
    v < (1 - d) v0. So a slow fall counts as soon as it has added up to d.
    """

    scalar: str
    improvement: float | None
    below: float | None
    patience: int
    least: float
    memory: Memory | None = None
    """Saved and gone back with."""
    at_rest: int = 0
    """Validations in a row that have found it at rest."""
    improved: float = math.inf
    """The last value that was an improvement."""
    value: float = math.nan
    """At the last validation."""
    share: float = 0.0
    """Of the budget, spent at the last validation."""
    _rule: tuple[Any, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Take note of what the counts are of."""
        self._rule = (self.scalar, self.improvement, self.below)

    @property
    def reached(self) -> bool:
        """Whether the last validation has ended the training."""
        return self.at_rest >= self.patience and self.share >= self.least

    def take(self, scalars: Mapping[str, float], share: float) -> None:
        """Take in what a validation has found.

        Args:
            scalars: By name.
            share: Of the budget that is spent, 0 to 1.
        """
        self.value, self.share = scalars[self.scalar], share
        if self.improvement is None:
            rests = self.below is not None and self.value < self.below
        else:
            rests = not self.value < (1.0 - self.improvement) * self.improved
            self.improved = self.improved if rests else self.value
        self.at_rest = self.at_rest + 1 if rests else 0

    def describe(self) -> str:
        """Say what the last validation has found."""
        if self.improvement is None:
            rest = f"below {self.below:g}"
        else:
            rest = (
                f"less than {100 * self.improvement:g} % lower than {self.improved:.4g}"
            )
        return (
            f"dev {self.scalar} is {self.value:.4g}, {self.at_rest} times in a row "
            f"{rest} (until.patience {self.patience})"
        )

    def state_dict(self) -> dict[str, Any]:
        """Return tensors and plain values for a checkpoint."""
        return {
            "rule": list(self._rule),
            "at_rest": self.at_rest,
            "improved": self.improved,
            "value": self.value,
            "share": self.share,
            "memory": self.memory and self.memory.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any] | None) -> None:
        """Set what `state_dict` returned; begin anew with None or with another rule."""
        known = state if state and tuple(state["rule"]) == self._rule else {}
        self.at_rest = known.get("at_rest", 0)
        self.improved = known.get("improved", math.inf)
        self.value = known.get("value", math.nan)
        self.share = known.get("share", 0.0)
        if self.memory is not None:
            self.memory.load_state_dict(known.get("memory") or {})
