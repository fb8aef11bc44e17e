"""What a finished stage leaves: the file `done`, with what it took and reached."""

import json
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from asrkit.decoding.scoring.error_unit import ERROR_RATES
from asrkit.pipeline.experiment import DONE
from asrkit.pipeline.stage import is_path
from asrkit.pipeline.stages.stage_run import StageRun
from asrkit.training.progress.console import format_seconds
from asrkit.training.trainer import Trainer
from asrkit.training.until import Until
from asrkit.utils.files import atomic_write
from asrkit.utils.memory import peak_memory, reset_peak_memory

logger = logging.getLogger(__name__)

ALIGNMENTS = "alignments"
NBEST = "nbest"
UNSPENT_UPDATES = "unspent_updates"
UNSPENT_EPOCHS = "unspent_epochs"
"""Facts of a stage that ended before its budget: what is left, counted both ways."""
_LABELS = {
    "seconds": "time",
    "left_out": "left out as",
    **{name: f"best dev {name}" for name in ERROR_RATES},
}
"""What the log calls some of the facts."""


def result_folder(exp_dir: Path, source: str, kind: str) -> Path:
    """Return where a stage's results of a kind are, or a folder given by its path."""
    return Path(source) if is_path(source) else exp_dir / source / kind


def write_done(folder: Path, facts: dict[str, Any]) -> None:
    """Mark the folder of a stage as done."""
    with atomic_write(folder / DONE, "w") as file:
        file.write(json.dumps(facts) + "\n")
    listed = ", ".join(
        f"{_LABELS.get(name, name)} {_show(name, value)}"
        for name, value in facts.items()
    )
    logger.info("stage %s done: %s", folder.name, listed)


def read_done(folder: Path) -> dict[str, Any]:
    """Return what a finished stage took and reached."""
    facts: dict[str, Any] = json.loads((folder / DONE).read_text(encoding="utf-8"))
    return facts


def run_to_end(trainer: Trainer, folder: Path) -> None:
    """Train and mark the folder of the stage as done."""
    reset_peak_memory(trainer.world.device)
    trainer.run()
    if not trainer.world.is_main:
        return
    facts = {
        "updates": trainer.update,
        "epochs": round(trainer.epochs, 2),
        "seconds": round(trainer.seconds, 1),
        "peak_memory_gb": round(peak_memory(trainer.world.device) / 1e9, 3),
        **trainer.selection.facts(),
    }
    if trainer.until is not None:
        facts |= ending(trainer, trainer.until)
    kept = trainer.selection.describe()
    if kept is not None:
        logger.info("%s", kept)
    write_done(folder, facts)


def ending(trainer: Trainer, until: Until) -> dict[str, Any]:
    """Say whether the budget or `until` has ended a stage; return it as facts."""
    facts: dict[str, Any] = {f"until_{until.scalar}": until.value}
    if trainer.done >= 1.0:
        logger.info("ended by its budget: %s", until.describe())
        return {"ended_by": "budget", **facts}
    share = 100 * trainer.done
    logger.info("ended by until, %.0f %% of the budget: %s", share, until.describe())
    updates, epochs = trainer.length.unspent(trainer.epochs, trainer.update)
    unspent = {UNSPENT_UPDATES: updates, UNSPENT_EPOCHS: round(epochs, 4)}
    return {"ended_by": "until", **facts, **unspent}


def timed(run: StageRun, work: Callable[[], dict[str, Any]]) -> None:
    """Do a stage that does not train, and mark its folder as done."""
    reset_peak_memory(run.world.device)
    start = time.monotonic()
    facts = work()
    if run.world.is_main:
        seconds = round(time.monotonic() - start, 1)
        memory = round(peak_memory(run.world.device) / 1e9, 3)
        write_done(run.folder, {"seconds": seconds, "peak_memory_gb": memory, **facts})


def _show(name: str, value: Any) -> str:
    if name == "seconds":
        return format_seconds(value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)
