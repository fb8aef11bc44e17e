"""Finds things in an experiment's folder."""

from pathlib import Path

from asrkit.utils.errors import InputError

AVERAGE = "average.pt"


def find_checkpoint(exp_dir: Path) -> Path:
    """Return the checkpoint to decode with: the averaged one, or the last stage's best.

    Raises:
        InputError: There is no folder or nothing trained in it.
    """
    if not exp_dir.is_dir():
        raise InputError(f"no experiment folder {exp_dir}; scripts/train.py makes one")
    if (exp_dir / AVERAGE).is_file():
        return exp_dir / AVERAGE
    found = [*exp_dir.glob("*/checkpoints/best.pt")]
    found = found or [*exp_dir.glob("*/checkpoints/last.pt")]
    if not found:
        raise InputError(
            f"no checkpoint below {exp_dir}; has its training got to a first "
            "validation?"
        )
    return max(found, key=lambda path: path.stat().st_mtime)
