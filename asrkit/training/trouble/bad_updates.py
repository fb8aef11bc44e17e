"""Updates whose loss or gradient is not finite.

They are left out on all processes together, counted and listed; too many in a row
send training back to a checkpoint with a lower learning rate.
"""

import logging
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from asrkit.training.distributed import World
from asrkit.training.gradients import Update
from asrkit.training.stream import Group, ids_of
from asrkit.utils.errors import InputError

logger = logging.getLogger(__name__)

_HEADER = "update\tepoch\trank\tloss\tgradient_norm\tutterances\n"
_SHOWN = 10  # utterances in a log line


@dataclass
class BadUpdates:
    """Keeps count of them; the same on all processes."""

    path: Path
    """The list of them, tab-separated: a line for each batch."""
    world: World
    limit: int
    """So many in a row are too many."""
    max_roll_backs: int
    lr_factor: float
    """Of the learning rate, once for every roll-back."""
    total: int = 0
    in_a_row: int = 0
    roll_backs: int = 0
    restored: int | None = None
    """Update of the checkpoint gone back to, as long as no good update followed."""
    seen: Counter[str] = field(default_factory=Counter)
    """What was not finite, and how often."""

    @property
    def too_many(self) -> bool:
        """Whether it is time to go back to a checkpoint."""
        return self.in_a_row >= self.limit

    @property
    def exhausted(self) -> bool:
        """Whether training has gone back as often as it may."""
        return self.roll_backs >= self.max_roll_backs

    @property
    def lr_scale(self) -> float:
        """What the roll-backs so far have made of the learning rate."""
        return self.lr_factor**self.roll_backs

    @property
    def counts(self) -> dict[str, float]:
        """How much has gone wrong, by name."""
        return {"updates_left_out": self.total, "roll_backs": self.roll_backs}

    def good(self) -> None:
        """Take note of an update that was made."""
        self.in_a_row = 0
        self.restored = None

    def bad(self, found: Update, group: Group, *, update: int, epochs: float) -> None:
        """List an update that is left out; called on all processes.

        Raises:
            InputError: The list cannot be written.
        """
        self.total += 1
        self.in_a_row += 1
        own = [
            (float(loss), ids_of(batch))
            for loss, (batch, _) in zip(found.losses, group, strict=True)
        ]
        ranks = self.world.gather(own)
        losses = [loss for rank in ranks for loss, _ in rank]
        ids = [name for rank in ranks for _, names in rank for name in names]
        total, norm = sum(losses), float(found.norm)
        finite = math.isfinite(total)
        self.seen[f"gradient norm {norm:g}" if finite else f"loss {total:g}"] += 1
        if not self.world.is_main:
            return
        more = f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else ""
        logger.warning(
            "update %d left out (%d in all): loss %g, gradient norm %g; utterances "
            "%s%s; all are in %s",
            update,
            self.total,
            total,
            norm,
            " ".join(ids[:_SHOWN]),
            more,
            self.path,
        )
        self._write(
            f"{update}\t{epochs:.3f}\t{rank}\t{loss:g}\t{norm:g}\t{' '.join(names)}\n"
            for rank, batches in enumerate(ranks)
            for loss, names in batches
        )

    def weights_not_finite(self) -> None:
        """Take note that no update can be good any more."""
        self.seen["weights that are not finite"] += 1
        self.in_a_row = self.limit

    def rolled_back(self, update: int) -> None:
        """Take note of a return to the checkpoint after so many updates."""
        self.roll_backs += 1
        self.in_a_row = 0
        self.restored = update

    def report(self) -> str:
        """Say what was seen, for a run that has to stop."""
        seen = ", ".join(f"{what} {count} times" for what, count in self.seen.items())
        return (
            f"training cannot go on: {self.limit} updates in a row had no finite loss "
            f"and gradient, after {self.roll_backs} returns to a checkpoint, with "
            f"{self.lr_scale:g} times the learning rate. Seen in this run: {seen}; the "
            f"utterances are in {self.path}. Lower the learning rate (optim), look at "
            "these utterances and the data report, or set trainer.dump_bad_updates=1 "
            "to keep batch, weights and activations of the first bad update"
        )

    def state_dict(self) -> dict[str, int]:
        """Return plain numbers for a checkpoint."""
        return {
            "total": self.total,
            "in_a_row": self.in_a_row,
            "roll_backs": self.roll_backs,
        }

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Set what `state_dict` returned."""
        self.total = state["total"]
        self.in_a_row = state["in_a_row"]
        self.roll_backs = state["roll_backs"]

    def _write(self, lines: Iterable[str]) -> None:
        """Add lines to the list."""
        try:
            new = not self.path.exists()
            with self.path.open("a", encoding="utf-8") as file:
                file.write((_HEADER if new else "") + "".join(lines))
        except OSError as error:
            raise InputError(
                f"cannot write {self.path}: {error.strerror}; free some disk space"
            ) from error
