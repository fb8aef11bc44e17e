"""Checkpoints: valid or absent, and nothing in them is ever executed.

A checkpoint is a zip archive, as `torch.save` writes it, and so carries a CRC-32 of
each of its records; `unzip -t` checks them by hand. torch itself does not compare them
when it reads: `check_sums` does, before anything in a file is used.
"""

import logging
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from asrkit.utils.errors import InputError
from asrkit.utils.files import atomic_write

logger = logging.getLogger(__name__)

State = dict[str, Any]

_FOREIGN = re.compile(r"GLOBAL (\S*\w)")
"""What torch will not make when it reads weights only."""

Loaded = tuple[Path, State]
"""A checkpoint and what is in it."""


def save_checkpoint(state: Mapping[str, Any], path: Path) -> None:
    """Write a checkpoint under a temporary name, flush it and rename it.

    Raises:
        InputError: It cannot be written; what was there before is still there.
    """
    with atomic_write(path) as file:
        try:
            torch.save(dict(state), file)
        except RuntimeError as error:
            # torch's zip writer reports a full disk as a RuntimeError of its own.
            raise OSError(0, f"the disk may be full ({_first_line(error)})") from error


def load_checkpoint(path: Path) -> State:
    """Read a checkpoint's tensors and plain values; code in it is refused.

    Raises:
        InputError: The file is missing, damaged, or not a checkpoint.
    """
    if not path.is_file():
        raise InputError(f"no checkpoint {path}; has a training run finished there?")
    try:
        return _load(path)
    except _UnusableError as error:
        raise InputError(f"{path} {error}; delete it or choose another") from error


class _UnusableError(Exception):
    """Says what is wrong with a file."""


def _load(path: Path) -> State:
    try:
        check_sums(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file fails in any of many readers
        foreign = _FOREIGN.search(str(error))
        if foreign is not None:
            raise _UnusableError(
                f"holds code ({foreign[1]}) besides tensors and plain values; none of "
                "it was run, and asrkit writes no such file"
            ) from error
        raise _UnusableError(
            f"is damaged or not a checkpoint ({_first_line(error)})"
        ) from error
    if not isinstance(state, dict) or "average" not in state:
        raise _UnusableError("is not a checkpoint of asrkit: it holds no model")
    return state


def check_sums(path: Path) -> None:
    """Compare a checkpoint's records with their CRC-32.

    Raises:
        zipfile.BadZipFile: One differs, or the file is not an archive.
    """
    with zipfile.ZipFile(path) as archive:
        wrong = archive.testzip()
    if wrong is not None:
        raise zipfile.BadZipFile(f"wrong checksum of {wrong}")


def has_begun(folder: Path) -> bool:
    """Say whether a stage, given its folder, has a state to go on from."""
    names = ("last.pt", "previous.pt")
    return any((folder / "checkpoints" / name).is_file() for name in names)


class Checkpoints:
    """The checkpoints of one stage: the last two, the best, and some of the epochs.

    Args:
        folder: Where they are.
        keep: How many epochs' checkpoints to keep besides the others.
    """

    def __init__(self, folder: Path, keep: int) -> None:
        self.folder = folder
        self.keep = keep

    @property
    def last(self) -> Path:
        """The newest checkpoint: where training goes on."""
        return self.folder / "last.pt"

    @property
    def previous(self) -> Path:
        """The one before the last, for when that one is damaged."""
        return self.folder / "previous.pt"

    @property
    def best(self) -> Path:
        """The one that was best on dev."""
        return self.folder / "best.pt"

    @property
    def start(self) -> Path:
        """The weights before the first update, until there is a newer checkpoint."""
        return self.folder / "start.pt"

    def epochs(self) -> list[Path]:
        """List the kept epochs' checkpoints, the oldest first."""
        found = self.folder.glob("epoch-*.pt")
        return sorted(found, key=lambda path: int(path.stem.removeprefix("epoch-")))

    def resume(self) -> Loaded | None:
        """Load the newest checkpoint that can be read, or None when there is none.

        Those that are newer and damaged are renamed to *.damaged.

        Raises:
            InputError: There are checkpoints, but none can be read.
        """
        damaged: dict[Path, str] = {}
        for path, state in self._read(damaged):
            if path == self.start and not damaged:
                break  # as good as beginning anew
            self._set_aside(damaged, path)
            return path, state
        if damaged:
            path, why = next(iter(damaged.items()))
            raise InputError(
                f"no checkpoint in {self.folder} can be read: {path.name} {why}; "
                "to begin anew, delete the folder"
            )
        return None

    def earlier(self, before: int | None) -> Loaded | None:
        """Load the newest checkpoint to go back to, or None when there is none.

        Args:
            before: Only one with fewer updates than this will do; None takes any.
        """
        damaged: dict[Path, str] = {}
        for path, state in self._read(damaged):
            if before is None or state["update"] < before:
                self._set_aside(damaged, path)
                return path, state
        return None

    def save(
        self, state: State, *, best: bool = False, epoch: int | None = None
    ) -> None:
        """Save the last checkpoint and, as asked, as the best or an epoch's."""
        new = self.folder / "new.pt"
        save_checkpoint(state, new)
        if self.last.is_file():
            self._link(self.previous)
            self.start.unlink(missing_ok=True)
        new.replace(self.last)
        if best:
            self._link(self.best)
        if epoch is not None and self.keep > 0:
            self._link(self.folder / f"epoch-{epoch}.pt")
            for path in self.epochs()[: -self.keep]:
                path.unlink()

    def clean(self) -> None:
        """Delete what a killed process has left half written."""
        for pattern in (".*.pt.*", ".*.link.*", "new.pt", "*.link"):
            for path in self.folder.glob(pattern):
                path.unlink()

    def _read(self, damaged: dict[Path, str]) -> Iterator[Loaded]:
        """Yield what can be read, the newest first; note what cannot."""
        newest_first = [self.last, self.previous, *reversed(self.epochs()), self.best]
        for path in [*newest_first, self.start]:
            if path.is_file():
                try:
                    state = _load(path)
                except _UnusableError as error:
                    damaged[path] = str(error)
                else:
                    yield path, state

    def _set_aside(self, damaged: Mapping[Path, str], instead: Path) -> None:
        """Rename damaged checkpoints, so that none takes the place of a good one."""
        if not damaged:
            return
        path, why = next(iter(damaged.items()))
        logger.warning(
            "%s %s; going on from %s instead (renamed to *.damaged: %s)",
            path,
            why,
            instead.name,
            ", ".join(path.name for path in damaged),
        )
        for path in damaged:
            path.replace(path.with_suffix(".damaged"))

    def _link(self, path: Path) -> None:
        """Give the last checkpoint a second name, at once and without a copy.

        `last.pt` is replaced by renaming, never written into, so the link keeps what
        it has.
        """
        temporary = path.with_suffix(".link")
        temporary.unlink(missing_ok=True)
        try:
            temporary.hardlink_to(self.last)
        except OSError:  # a file system without hard links
            with atomic_write(temporary) as file:
                file.write(self.last.read_bytes())
        temporary.replace(path)
        # Renaming to another name of the same file does nothing, says POSIX.
        temporary.unlink(missing_ok=True)


def _first_line(error: Exception) -> str:
    """Return the first line of an error's message."""
    return (str(error) or type(error).__name__).splitlines()[0]
