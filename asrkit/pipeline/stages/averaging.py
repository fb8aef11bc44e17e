"""Averages the weights of checkpoints."""

import logging
from pathlib import Path

import torch

from asrkit.training.checkpoints.checkpoint import Checkpoints, State, load_checkpoint
from asrkit.utils.errors import InputError

logger = logging.getLogger(__name__)

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
    Where the stage has validated its start, none that is worse than that is taken: if
    the start is the best, it is alone.
    """
    best = Checkpoints(folder, keep=0).best
    first = load_checkpoint(best)
    before = first.get("dev_before")
    chosen, worse = {first["update"]: best}, []
    for path in Checkpoints(folder, keep=0).epochs():
        state = load_checkpoint(path)
        if state["dev"] is None or state["dev"] > _CLOSE * first["dev"]:
            continue
        if before is not None and state["dev"] > before:
            worse.append(path.name)
        else:
            chosen.setdefault(state["update"], path)
    if worse:
        logger.info(
            "not averaged, worse on dev than before the stage (%.4g): %s",
            before,
            ", ".join(worse),
        )
    return list(chosen.values())


def last_epochs(folder: Path, count: int) -> list[Path]:
    """Return the newest `count` epochs' checkpoints of a stage."""
    found = Checkpoints(folder, keep=0).epochs()
    if not found:
        raise InputError(f"no epoch-*.pt in {folder}; has the stage trained?")
    return found[-count:]
