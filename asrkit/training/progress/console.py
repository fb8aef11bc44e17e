"""What a training run says on the console: one moving line and a line per epoch."""

import logging
import sys
import time
from collections.abc import Mapping

logger = logging.getLogger(__name__)

_SECONDS_BETWEEN_LINES = 30.0


class Console:
    """One progress line with the time left; on a terminal it is overwritten.

    Args:
        enabled: Off in all processes but the main one.
    """

    def __init__(self, enabled: bool) -> None:
        self._enabled = enabled
        self._terminal = sys.stderr.isatty()
        self._start = self._last = time.monotonic()
        self._first_progress: float | None = None
        self._width = 0

    def progress(
        self, done: float, epochs: float, update: int, scalars: Mapping[str, float]
    ) -> None:
        """Show where the run is, if it is time to.

        Args:
            done: Share of the training that is done, 0 to 1.
            epochs: Epochs that are done.
            update: Updates that are done.
            scalars: What to show, by name.
        """
        now = time.monotonic()
        if self._first_progress is None:
            self._first_progress, self._start = done, now
        gap = 0.5 if self._terminal else _SECONDS_BETWEEN_LINES
        if not self._enabled or now < self._last + gap:
            return
        self._last = now
        shown = "  ".join(f"{name} {value:.4g}" for name, value in scalars.items())
        line = (
            f"{100 * done:3.0f} %  epoch {epochs:.2f}  update {update}  {shown}  "
            f"{self._left(done, now)} left"
        )
        if self._terminal:
            sys.stderr.write("\r" + line.ljust(self._width))
            sys.stderr.flush()
            self._width = len(line)
        else:
            logger.info(line)

    def say(self, line: str) -> None:
        """Print a line that stays."""
        if not self._enabled:
            return
        if self._terminal and self._width:
            sys.stderr.write("\r" + " " * self._width + "\r")
            self._width = 0
        logger.info(line)

    def _left(self, done: float, now: float) -> str:
        """Estimate the time left from the pace of this run."""
        gained = done - (self._first_progress or 0.0)
        if gained <= 0:
            return "?"
        return format_seconds((now - self._start) / gained * (1.0 - done))


def format_seconds(seconds: float) -> str:
    """Write a time as 1:23:45 or 3:45."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
