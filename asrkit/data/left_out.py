"""Utterances that are left out: why, the list of them, and how many a run may have."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from asrkit.utils.errors import InputError
from asrkit.utils.files import atomic_write
from asrkit.utils.mask import mask

logger = logging.getLogger(__name__)

_HEADER = "id\tpath\treason"
_FEW = 10
"""So many bad files stop no run, however small its corpus."""


@dataclass(frozen=True)
class LeftOut:
    """An utterance that is not among the cuts, and why."""

    id: str
    path: str
    reason: str


class UnusableError(Exception):
    """What cannot become an utterance; the text of the error is the reason."""


class LeftOutList:
    """Lists what could not be read, and stops the run when it becomes too much.

    An utterance is listed once, however often it is tried.

    Args:
        path: The list, a table of id, path and reason; what an earlier start listed
            stays. None keeps no file.
        max_share: Most readings that may fail, as a share of all.
    """

    def __init__(self, path: Path | None = None, *, max_share: float = 0.01) -> None:
        self.path = path
        self.max_share = max_share
        self.tried = 0
        """Utterances read or left out since the start, those tried twice twice."""
        self.failed = 0
        """Of these, the ones that were left out."""
        self.rows: dict[str, LeftOut] = {}
        """What is listed, by id."""
        if path is not None and path.is_file():
            self.rows = {row.id: row for row in read_left_out(path)}

    def note(self, rows: Sequence[LeftOut], tried: int) -> None:
        """Count a batch, and list what was left out of it.

        Args:
            rows: The utterances left out of it.
            tried: All utterances that it should have held.

        Raises:
            InputError: More readings fail than may.
        """
        self.tried += tried
        if not rows:
            return
        self.failed += len(rows)
        new = [row for row in rows if row.id not in self.rows]
        for row in new:
            self.rows[row.id] = row
            logger.warning("left out: %s (%s): %s", row.id, row.path, row.reason)
        if new and self.path is not None:
            write_left_out(self.path, self.rows.values())
        if self._too_many():
            raise InputError(self._describe(rows[-1]))

    def _too_many(self) -> bool:
        if self.failed <= self.max_share * self.tried:
            return False
        # A corpus of a few utterances ends when most of what is tried fails.
        most = self.failed > _FEW and self.failed > self.tried / 2
        return most or len(self.rows) > _FEW

    def _describe(self, last: LeftOut) -> str:
        where = f", listed in {self.path}" if self.path is not None else ""
        return (
            f"{self.failed} of {self.tried} utterances could not be read{where}; "
            f"data.max_left_out={self.max_share:g} allows {100 * self.max_share:g} %. "
            f"The last one: {last.id} ({last.path}): {last.reason}. Is the disk there? "
            "Mend the files or raise the key, and start the same command again"
        )


def write_left_out(path: Path, rows: Iterable[LeftOut]) -> None:
    """Write rows as a table, sorted by id; without rows a table there is removed."""
    ordered = sorted(rows, key=lambda row: row.id)
    if not ordered:
        path.unlink(missing_ok=True)
        return
    with atomic_write(path, "w") as file:
        file.write(f"{_HEADER}\n")
        for row in ordered:
            # A tab or a line end in a name or a message would break the table.
            cells = (" ".join(cell.split()) for cell in (row.id, row.path, row.reason))
            file.write(mask("\t".join(cells)) + "\n")


def read_left_out(path: Path) -> list[LeftOut]:
    """Read a table that `write_left_out` wrote.

    Raises:
        InputError: It is none.
    """
    lines = path.read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines[1:]]
    if lines[:1] != [_HEADER] or any(len(row) != 3 for row in rows):
        raise InputError(f"{path} is no list of utterances left out; delete it")
    return [LeftOut(*row) for row in rows]
