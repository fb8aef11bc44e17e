"""How far a training is, as schedules and criteria are told it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class TrainingProgress:
    """How far training is."""

    share: float = 0.0
    """Of its length that is done, 0 to 1."""
    update: int = 0
    """Updates made."""
    epochs: float = 0.0
    """Epochs done, with fractions."""
