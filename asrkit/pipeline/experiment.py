"""Finds things in an experiment's folder."""

from pathlib import Path

from asrkit.utils.errors import InputError

AVERAGE = "average.pt"
DONE = "done"
"""A finished stage leaves this file in its folder, with what it took and reached."""
_LM = "lm_"


def find_checkpoint(exp_dir: Path) -> Path:
    """Return the checkpoint to decode with: the averaged one, or the last stage's best.

    Raises:
        InputError: There is no folder or nothing trained in it.
    """
    if not exp_dir.is_dir():
        raise InputError(f"no experiment folder {exp_dir}; scripts/train.py makes one")
    if (exp_dir / AVERAGE).is_file():
        return exp_dir / AVERAGE
    found = _checkpoints(exp_dir, "best.pt") or _checkpoints(exp_dir, "last.pt")
    if not found:
        raise InputError(
            f"no checkpoint below {exp_dir}; has its training got to a first "
            "validation?"
        )
    return max(found, key=lambda path: path.stat().st_mtime)


def last_trained(exp_dir: Path) -> str:
    """Name the stage that has trained last.

    Raises:
        InputError: There is none.
    """
    found = _checkpoints(exp_dir, "last.pt")
    if not found:
        raise InputError(f"no stage has trained in {exp_dir}; scripts/train.py does")
    return max(found, key=lambda path: path.stat().st_mtime).parts[-3]


def is_done(exp_dir: Path, name: str) -> bool:
    """Say whether a stage has ended."""
    return (exp_dir / name / DONE).is_file()


def lm_folder(exp_dir: Path, name: str) -> Path:
    """Return the folder of the language model called `name`."""
    return exp_dir / f"{_LM}{name}"


def _checkpoints(exp_dir: Path, name: str) -> list[Path]:
    """List the stages' checkpoints of that name, without the language models'."""
    found = exp_dir.glob(f"*/checkpoints/{name}")
    return [path for path in found if not path.parts[-3].startswith(_LM)]
