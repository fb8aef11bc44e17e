"""Progress of a long step: a bar on a terminal, a few log lines anywhere else."""

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

logger = logging.getLogger(__name__)

_SECONDS_BETWEEN_LINES = 2.0


@contextmanager
def track(
    name: str, total: int | None, *, done: int = 0, in_bytes: bool = False
) -> Iterator[Callable[[int], None]]:
    """Show how far a step is; call what this yields with the amount newly done.

    Args:
        name: What the line begins with.
        total: Amount of work; None when it is not known.
        done: Amount that an earlier attempt had done.
        in_bytes: The amounts are bytes, to be shown as MB.
    """
    if not sys.stderr.isatty():
        yield _LogLines(name, total, done, 1e6 if in_bytes else 1, " MB" * in_bytes)
        return
    counter = DownloadColumn() if in_bytes else MofNCompleteColumn()
    columns = [TextColumn("{task.description}"), BarColumn(), counter]
    times = [TimeElapsedColumn(), TextColumn("left:"), TimeRemainingColumn()]
    with Progress(*columns, *times, console=Console(stderr=True)) as bar:
        task = bar.add_task(name, total=total, completed=done)
        yield lambda amount: bar.advance(task, amount)


class _LogLines:
    """One line for every tenth of the work, with the time that is left.

    Work that is done in a moment leaves no lines.
    """

    def __init__(
        self, name: str, total: int | None, done: int, scale: float, unit: str
    ) -> None:
        self._name, self._total, self._done = name, total, done
        self._scale, self._unit = scale, unit
        self._first = done
        self._start = self._last_line = time.monotonic()
        self._tenth = self._tenths()

    def _tenths(self) -> int:
        # Without a total: a line for every 100 MB (or 100 of whatever it is).
        return int(
            self._done / (self._total / 10 if self._total else 100 * self._scale)
        )

    def __call__(self, amount: int) -> None:
        self._done += amount
        now = time.monotonic()
        if (
            self._tenths() == self._tenth
            or now < self._last_line + _SECONDS_BETWEEN_LINES
        ):
            return
        self._tenth, self._last_line = self._tenths(), now
        line = f"{self._name}: {self._done / self._scale:.0f}"
        if self._total:
            pace = (now - self._start) / (self._done - self._first)
            left = pace * (self._total - self._done)
            line += (
                f" of {self._total / self._scale:.0f}{self._unit}, {left:.0f} s left"
            )
        else:
            line += self._unit
        logger.info(line)
