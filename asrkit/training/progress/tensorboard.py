"""TensorBoard: the only file that knows it."""

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from asrkit.utils.errors import InputError

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

logger = logging.getLogger(__name__)

_GROUPS = {
    "optim": {"learning_rate", "gradient_norm"},
    "speed": {
        "updates_per_second", "seconds", "data_wait_percent", "peak_memory_gb",
        "memory_of_limit", "slowest_rank", "slowest_to_mean", "audio_hours_per_hour",
        "utterances_per_update", "tokens_per_second", "sentences_per_update",
    },
    "trouble": {
        "updates_left_out", "roll_backs", "split_batches", "utterances_left_out",
        "utterances_left_out_percent", "utterances_without_path",
    },
}  # fmt: skip
"""Scalars that one looks at together; all others are in `loss`."""


@dataclass
class Evaluation:
    """What validation found."""

    scalars: dict[str, float]
    """By name, e.g. loss_per_token, wer."""
    texts: dict[str, str] = field(default_factory=dict)
    """Markdown by name."""
    pictures: dict[str, Tensor] = field(default_factory=dict)
    """RGB images (3, H, W), uint8, by name."""


class TensorBoardLog:
    """Writes scalars in the groups loss, optim, speed and trouble, tables and pictures.

    Losses are those of train or dev, `loss/train/NAME` and `loss/dev/NAME`. What counts
    troubles is written from the first one on.

    When it cannot write any more, as on a full disk, it says so once and gives up:
    training is worth more than its curves.

    Args:
        folder: Where the event files go.

    Raises:
        InputError: They cannot be written from the start.
    """

    def __init__(self, folder: Path) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._folder = folder
        self._happened: set[str] = set()
        try:
            self._writer: SummaryWriter | None = SummaryWriter(
                str(folder), flush_secs=20
            )
        except OSError as error:
            raise InputError(
                f"cannot write {folder}: {error.strerror}; free some disk space or "
                "choose another folder"
            ) from error
        # The writer's thread hands its error on to the next call; that is enough.
        self._usual_hook = threading.excepthook
        threading.excepthook = self._report_other_threads

    def train(self, scalars: Mapping[str, float], update: int) -> None:
        """Log scalars of training."""

        def add(writer: "SummaryWriter") -> None:
            for name, value in scalars.items():
                if value:
                    self._happened.add(name)
                if name in self._happened or name not in _GROUPS["trouble"]:
                    writer.add_scalar(_tag(name, "train"), value, update)

        self._attempt(add)

    def dev(self, evaluation: Evaluation, update: int) -> None:
        """Log what validation found."""

        def add(writer: "SummaryWriter") -> None:
            for name, value in evaluation.scalars.items():
                writer.add_scalar(_tag(name, "dev"), value, update)
            for name, text in evaluation.texts.items():
                writer.add_text(f"dev/{name}", text, update)
            for name, picture in evaluation.pictures.items():
                writer.add_image(f"dev/{name}", picture, update)
            writer.flush()

        self._attempt(add)

    def close(self) -> None:
        """Write what is still held back."""
        self._attempt(lambda writer: writer.close())
        threading.excepthook = self._usual_hook

    def _attempt(self, write: Callable[["SummaryWriter"], None]) -> None:
        """Write; give up for good if that fails."""
        if self._writer is None:
            return
        try:
            write(self._writer)
        except OSError as error:
            self._writer = None
            logger.warning(
                "%s cannot be written (%s); the run goes on without TensorBoard",
                self._folder,
                error.strerror,
            )

    def _report_other_threads(self, args: threading.ExceptHookArgs) -> None:
        """Print the traceback of any thread's error but the writer's."""
        if type(args.thread).__name__ != "_AsyncWriterThread":
            self._usual_hook(args)


def _tag(name: str, part: str) -> str:
    """Return the tag of a scalar of train or dev."""
    for group, names in _GROUPS.items():
        if name in names:
            return f"{group}/{name}"
    return f"loss/{part}/{name}"
