"""Averages the weights of checkpoints."""

from pathlib import Path

import torch

from asrkit.training.checkpoints.checkpoint import Checkpoints, State, load_checkpoint
from asrkit.utils.errors import InputError

_CLOSE = 1.1  # times the best value on dev


def average(paths: list[Path]) -> State:
    """Return a checkpoint to decode with: the mean of several averaged weights.

    It has no optimizer state, so training cannot go on from it.

    Raises:
        InputError: The checkpoints are of different models.
    """
    total: dict[str, torch.Tensor] = {}
    state: State = {}
    for path in paths:
        state = load_checkpoint(path)
        weights = {k: v.double() for k, v in state["average"].items()}
        if total and {k: v.shape for k, v in total.items()} != {
            k: v.shape for k, v in weights.items()
        }:
            raise InputError(f"{path} is of another model than {paths[0]}")
        total = {k: v + total[k] if total else v for k, v in weights.items()}
    mean = {k: (v / len(paths)).to(state["average"][k].dtype) for k, v in total.items()}
    kept = {key: state[key] for key in ("config", "tokenizer", "versions")}
    return {**kept, "average": mean, "averaged": [path.name for path in paths]}


def as_good_as_best(folder: Path) -> list[Path]:
    """Return the best checkpoint and the epochs' whose value on dev is close to it.

    Averaging in one that is much worse, of a short run's steep end, spoils the rest.
    """
    best = Checkpoints(folder, keep=0).best
    first = load_checkpoint(best)
    chosen = {first["update"]: best}
    for path in Checkpoints(folder, keep=0).epochs():
        state = load_checkpoint(path)
        if state["dev"] is not None and state["dev"] <= _CLOSE * first["dev"]:
            chosen.setdefault(state["update"], path)
    return list(chosen.values())


def last_epochs(folder: Path, count: int) -> list[Path]:
    """Return the newest `count` epochs' checkpoints of a stage."""
    found = Checkpoints(folder, keep=0).epochs()
    if not found:
        raise InputError(f"no epoch-*.pt in {folder}; has the stage trained?")
    return found[-count:]
