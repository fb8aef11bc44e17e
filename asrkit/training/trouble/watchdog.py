"""A run that stands still says where, and ends, so that it can be started anew."""

import faulthandler
import logging
import multiprocessing
import os
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import nn

from asrkit.training.distributed import World
from asrkit.training.stream import Group, ids_of

logger = logging.getLogger(__name__)

STALLED = 75
"""Exit status after a stall: EX_TEMPFAIL, "try again"."""

_TICKS = 20
"""Looks at the training within the time that it may stand still."""
_GRACE = 10.0
"""Seconds to write the report in, and for the other processes to write theirs."""
_UPDATES = 3
"""Last updates whose utterances are reported."""
_CAUSES = (
    "What it usually is: one process does something else than the others, which wait "
    "for it in a collective (all_reduce, gather, backward): look for the one that does "
    "not; a disk or network that does not answer (read, open, wait); a GPU that hangs "
    "(synchronize). If nothing hangs and it is only slow, raise trainer.stall_minutes"
)


class Watchdog:
    """Ends the process when training makes no progress.

    A thread looks now and then whether `progress` has been called. Time is counted in
    these looks, so that a process that was suspended is not taken for one that hangs.
    Every process has a watchdog of its own: where one hangs, the others wait for it,
    and so each reports.

    Args:
        folder: Where stall_rank<N>.txt goes.
        world: The processes that work together, and this one's rank.
        minutes: Longest time without progress; 0 for no limit.
    """

    def __init__(self, folder: Path, world: World, minutes: float) -> None:
        self.path = folder / f"stall_rank{world.rank}.txt"
        self.world = world
        self.minutes = minutes
        self._progress = 0
        self._last: deque[list[str]] = deque(maxlen=_UPDATES)
        self._over = threading.Event()

    def __enter__(self) -> "Watchdog":
        if self.minutes:
            threading.Thread(target=self._watch, name="watchdog", daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()

    def progress(self) -> None:
        """Take note that something has come to its end."""
        self._progress += 1

    def begin(self, group: Group) -> None:
        """Take note of the utterances of an update, which begins."""
        self._last.append([name for batch, _ in group for name in ids_of(batch)])

    @contextmanager
    def validating(self, module: nn.Module) -> Iterator[None]:
        """Count what a module and its parts compute as progress, as long as this lasts.

        Args:
            module: What is validated.
        """

        def note(*_: Any) -> None:
            self.progress()

        hooks = [part.register_forward_hook(note) for part in module.modules()]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()
            self.progress()

    def _watch(self) -> None:
        """Wait for a stall."""
        idle, seen = 0, self._progress
        while idle < _TICKS:
            if self._over.wait(60.0 * self.minutes / _TICKS):
                return
            idle = idle + 1 if self._progress == seen else 0
            seen = self._progress
        self._end()

    def _end(self) -> None:
        """Report, and end the process without asking any other thread."""
        end = time.monotonic() + _GRACE
        # What hangs may be the disk, or whoever reads the log: then this thread hangs
        # as well.
        report = threading.Thread(target=self._report, daemon=True)
        report.start()
        report.join(_GRACE)
        # If this one went at once, torchrun would end the others before they report.
        if self.world.size > 1:
            time.sleep(max(0.0, end - time.monotonic()))
        for child in multiprocessing.active_children():
            child.kill()  # readers of data: nobody else would end those that hang
        os._exit(STALLED)

    def _report(self) -> None:
        """Write stacks and utterances to the file and to the log."""
        rank = self.world.rank
        lines = [" ".join(ids) for ids in self._last] or ["none yet"]
        utterances = "\n".join(lines)
        now = time.strftime("%Y-%m-%d %H:%M:%S")
        with self.path.open("a+", encoding="utf-8") as file:
            file.write(
                f"rank {rank}, process {os.getpid()} on {socket.gethostname()}, {now}: "
                f"no progress for {self.minutes:g} minutes\n"
                f"Utterances of its last updates, the newest last:\n{utterances}\n"
            )
            file.flush()
            start = file.tell()
            faulthandler.dump_traceback(file, all_threads=True)
            file.seek(start)
            stacks = file.read()
        logger.error(
            "rank %d: training stands still: no update, validation batch or checkpoint "
            "has ended for %g minutes (trainer.stall_minutes). Utterances of its last "
            "updates, the newest last:\n%s\nWhat its threads are at:\n%s\n%s. The same "
            "is in %s, and of the other processes beside it in stall_rank*.txt. This "
            "process ends with status %d; torchrun --max-restarts, or the same command "
            "again, goes on from the last checkpoint",
            rank,
            self.minutes,
            utterances,
            stacks.rstrip(),
            _CAUSES,
            self.path,
            STALLED,
        )
        for handler in logging.getLogger().handlers:
            handler.flush()
