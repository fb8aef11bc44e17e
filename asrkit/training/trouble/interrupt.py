"""Ctrl-C and SIGTERM: finish the update, save, and say how to go on."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class InterruptFlag:
    """Is set by the first SIGINT or SIGTERM; the second one acts as it always does."""

    def __init__(self) -> None:
        self.is_set = False
        self._at_once = False
        self._previous: dict[int, object] = {}

    def __enter__(self) -> "InterruptFlag":
        for number in (signal.SIGINT, signal.SIGTERM):
            self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *error: object) -> None:
        self._restore()

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Let a signal end what is done here at once: everything is saved already.

        Raises:
            KeyboardInterrupt: A signal comes, or has come before.
        """
        self._at_once = True
        try:
            if self.is_set:
                raise KeyboardInterrupt
            yield
        finally:
            self._at_once = False

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.is_set = True
        self._restore()
        if self._at_once:
            raise KeyboardInterrupt

    def _restore(self) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        self._previous.clear()
