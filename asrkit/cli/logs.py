"""Where log lines go: the console, and a file that keeps them."""

import logging
import sys
import time
import traceback
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from asrkit.utils.errors import InputError
from asrkit.utils.mask import mask


class Masked(logging.Formatter):
    """Hides passwords, signatures and tokens in lines and tracebacks."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record."""
        return mask(super().format(record))


class MaskedStream:
    """Passes text on to a stream, without secrets.

    Args:
        stream: Where to.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write text; return its length."""
        self._stream.write(mask(text))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        """Leave the rest to the stream."""
        return getattr(self._stream, name)


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
    sys.excepthook = show_error
    for handler in root.handlers:
        if isinstance(handler, LogFile):
            handler.close()
    root.handlers.clear()
    if rank == 0:
        console = logging.StreamHandler(sys.stderr)
        console.setFormatter(Masked("%(message)s"))
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
        file.setFormatter(Masked("%(asctime)s %(levelname)s %(message)s"))
        root.addHandler(file)


def show_error(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Print the traceback that ends the process, without secrets."""
    sys.stderr.write(mask("".join(traceback.format_exception(kind, error, trace))))


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
