"""Checkpoints: valid or absent, and nothing in them is ever executed."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from asrkit.utils.errors import InputError
from asrkit.utils.files import atomic_write

logger = logging.getLogger(__name__)

State = dict[str, Any]


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
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file fails in any of torch's readers
        raise InputError(
            f"{path} is damaged or not a checkpoint ({_first_line(error)}); "
            "delete it or choose another"
        ) from error
    if not isinstance(state, dict) or "average" not in state:
        raise InputError(f"{path} is not a checkpoint of asrkit: it holds no model")
    return state


class Checkpoints:
    """The checkpoints of one stage: the last, the best, and some of the epochs.

    Args:
        folder: Where they are.
        keep: How many epochs' checkpoints to keep besides the last and the best.
    """

    def __init__(self, folder: Path, keep: int) -> None:
        self.folder = folder
        self.keep = keep

    @property
    def last(self) -> Path:
        """The newest checkpoint: where training goes on."""
        return self.folder / "last.pt"

    @property
    def best(self) -> Path:
        """The one that was best on dev."""
        return self.folder / "best.pt"

    def epochs(self) -> list[Path]:
        """List the kept epochs' checkpoints, the oldest first."""
        found = self.folder.glob("epoch-*.pt")
        return sorted(found, key=lambda path: int(path.stem.removeprefix("epoch-")))

    def resume(self) -> State | None:
        """Load the newest checkpoint that can be read, or None when there is none."""
        for path in [self.last, *reversed(self.epochs()), self.best]:
            if not path.is_file():
                continue
            try:
                return load_checkpoint(path)
            except InputError as error:
                logger.warning("%s; trying the one before", error)
        return None

    def save(
        self, state: State, *, best: bool = False, epoch: int | None = None
    ) -> None:
        """Save the last checkpoint and, as asked, as the best or an epoch's."""
        save_checkpoint(state, self.last)
        if best:
            self._link(self.best)
        if epoch is not None and self.keep > 0:
            self._link(self.folder / f"epoch-{epoch}.pt")
            for path in self.epochs()[: -self.keep]:
                path.unlink()

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


def _first_line(error: Exception) -> str:
    """Return the first line of an error's message."""
    return (str(error) or type(error).__name__).splitlines()[0]
