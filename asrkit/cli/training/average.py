"""`scripts/average.py --exp-dir exp/x`: average the weights of several checkpoints."""

import argparse
import logging
from pathlib import Path

from asrkit.cli.logs import start_logging
from asrkit.pipeline.experiment import AVERAGE, last_trained
from asrkit.pipeline.stages.averaging import as_good_as_best, average, last_epochs
from asrkit.training.checkpoints.checkpoint import save_checkpoint

logger = logging.getLogger(__name__)


def main(argv: list[str] | None = None) -> int:
    """Average; return the exit status."""
    args = parser().parse_args(argv)
    start_logging(None, "average")
    folder = args.exp_dir / (args.stage or last_trained(args.exp_dir)) / "checkpoints"
    paths = args.checkpoints or (
        last_epochs(folder, args.last) if args.last else as_good_as_best(folder)
    )
    out = args.out or args.exp_dir / AVERAGE
    save_checkpoint(average(paths), out)
    logger.info("average of %s\nwritten to %s", ", ".join(map(str, paths)), out)
    return 0


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parse = argparse.ArgumentParser(
        description="Averages the (already running-averaged) weights of checkpoints; "
        "scripts/decode.py takes the result by itself."
    )
    add = parse.add_argument
    add("--exp-dir", type=Path, required=True, help="folder of the run")
    add("--stage", help="stage of the run (default: the one that trained last)")
    add(
        "--last",
        type=int,
        help="newest epochs to average (default: the best and those as good on dev)",
    )
    add("--checkpoints", type=Path, nargs="+", help="these instead")
    add("--out", type=Path, help="where to write (default: EXP_DIR/average.pt)")
    return parse
