"""Where log lines go: the console, and a file that keeps them."""

import logging
import sys
import time
from pathlib import Path

from asrkit.utils.errors import InputError


class LogFile(logging.FileHandler):
    """Keeps the log in a file; a full disk ends the file, not the run."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's
        """Give the file up and say so once, instead of a traceback a line."""
        root = logging.getLogger()
        root.removeHandler(self)
        root.warning("%s: %s; the log ends there", self.baseFilename, sys.exc_info()[1])


def start_logging(folder: Path | None, command: str, rank: int = 0) -> None:
    """Log to the console (rank 0 alone) and, if given a folder, to a file in it.

    Raises:
        InputError: The folder cannot be written.
    """
    root = logging.getLogger()
    root.setLevel(logging.INFO)
    root.handlers.clear()
    if rank == 0:
        console = logging.StreamHandler(sys.stderr)
        console.setFormatter(logging.Formatter("%(message)s"))
        root.addHandler(console)
    if folder is not None:
        name = f"{command}-{time.strftime('%Y-%m-%d-%H-%M-%S')}-{rank}.log"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            file = LogFile(folder / name, encoding="utf-8")
        except OSError as error:
            raise InputError(
                f"cannot write into {folder}: {error.strerror}; free some disk space, "
                "or choose a folder that can be written (exp_dir)"
            ) from error
        file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        root.addHandler(file)


def note_failure(error: Exception) -> None:
    """Write into the log files why a command ends; the console is told elsewhere."""
    root = logging.getLogger()
    expected = isinstance(error, InputError)
    record = root.makeRecord(
        root.name,
        logging.ERROR,
        fn="",
        lno=0,
        msg="failed: %s",
        args=(error,),
        exc_info=None if expected else sys.exc_info(),
    )
    for handler in root.handlers:
        if isinstance(handler, LogFile):
            handler.handle(record)
