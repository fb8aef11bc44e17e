"""`scripts/average.py --exp-dir exp/x`: average the weights of several checkpoints."""

import argparse
import logging
from pathlib import Path

import torch

from asrkit.cli.logs import start_logging
from asrkit.pipeline.experiment import AVERAGE
from asrkit.training.checkpoint import (
    Checkpoints,
    State,
    load_checkpoint,
    save_checkpoint,
)
from asrkit.utils.errors import InputError

logger = logging.getLogger(__name__)


def main(argv: list[str] | None = None) -> int:
    """Average; return the exit status."""
    args = parser().parse_args(argv)
    start_logging(None, "average")
    paths = args.checkpoints or last_epochs(args.exp_dir, args.stage, args.last)
    out = args.out or args.exp_dir / AVERAGE
    save_checkpoint(average(paths), out)
    logger.info("average of %s\nwritten to %s", ", ".join(map(str, paths)), out)
    return 0


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


def last_epochs(exp_dir: Path, stage: str, count: int) -> list[Path]:
    """Return the newest `count` epochs' checkpoints of a stage."""
    folder = exp_dir / stage / "checkpoints"
    found = Checkpoints(folder, keep=0).epochs()
    if not found:
        raise InputError(f"no epoch-*.pt in {folder}; has stage {stage} trained?")
    return found[-count:]


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parse = argparse.ArgumentParser(
        description="Averages the (already running-averaged) weights of checkpoints; "
        "scripts/decode.py takes the result by itself."
    )
    add = parse.add_argument
    add("--exp-dir", type=Path, required=True, help="folder of the run")
    add("--stage", default="train", help="stage of the run (default: train)")
    add("--last", type=int, default=3, help="newest epochs to average (default: 3)")
    add("--checkpoints", type=Path, nargs="+", help="these instead of the last epochs")
    add("--out", type=Path, help="where to write (default: EXP_DIR/average.pt)")
    return parse
