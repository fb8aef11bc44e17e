"""One run at a time in a folder."""

import fcntl
import logging
import os
import socket
import time
from pathlib import Path

from asrkit.utils.errors import InputError

logger = logging.getLogger(__name__)


class FolderLock:
    """Holds a folder for this process; a process that dies lets go of it.

    It is a POSIX record lock on the file `.lock`: the system drops it with the process,
    however that ends, so nothing is left to clear away; the data loader's workers do
    not inherit it; and it holds across machines that share the folder by NFS. The file
    stays, since deleting a lock's file lets two runs hold one each.

    Args:
        folder: What to hold; made if it is missing.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file: int | None = None

    def __enter__(self) -> "FolderLock":
        path = self.folder / ".lock"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
            self._lock(self._file)
            now = time.strftime("%Y-%m-%d %H:%M:%S")
            about = f"process {os.getpid()} on {socket.gethostname()} since {now}\n"
            os.ftruncate(self._file, 0)
            os.write(self._file, about.encode())
        except OSError as error:
            self.__exit__()
            raise InputError(
                f"cannot write {path}: {error.strerror}; free some disk space or "
                "choose another folder"
            ) from error
        return self

    def _lock(self, file: int) -> None:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError) as error:
            holder = os.read(file, 1000).decode(errors="replace").strip()
            self.__exit__()
            raise InputError(
                f"another run works in {self.folder} ({holder}); wait for it, stop it, "
                "or choose another exp_dir"
            ) from error
        except OSError as error:  # some network file systems have no locks
            logger.warning("%s cannot be locked (%s)", self.folder, error.strerror)

    def __exit__(self, *error: object) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None
