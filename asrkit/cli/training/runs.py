"""List experiments: what each does or has done, how good it is, how long it takes."""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

from asrkit.pipeline.experiments_table import Experiment, list_experiments
from asrkit.training.progress.console import format_seconds

_HEADER = (
    "experiment", "state", "stage", "update", "dev WER", "test WER", "last sign", "left"
)  # fmt: skip


def main(argv: list[str] | None = None) -> int:
    """Print the table."""
    args = parser().parse_args(argv)
    rows = [_HEADER, *map(_row, list_experiments(args.folder))]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print(_line(row, widths))
    return 0


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
    return "  ".join(cells).rstrip()


def _row(experiment: Experiment) -> tuple[str, ...]:
    tests = experiment.test_wers
    stamp = time.strftime("%Y-%m-%d %H:%M", time.localtime(experiment.updated))
    return (
        experiment.name,
        experiment.state.value,
        experiment.stage,
        "" if experiment.update is None else str(experiment.update),
        "" if experiment.dev_wer is None else f"{experiment.dev_wer:.2f}",
        ", ".join(f"{name} {wer:.2f}" for name, wer in tests.items()),
        stamp,
        "" if experiment.left is None else format_seconds(experiment.left),
    )


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parse = argparse.ArgumentParser(
        description="List experiments, the newest last: state (training, interrupted, "
        "done, failed), stage, update, best WER on dev, WER on the decoded sets, and "
        "the time that the stage still takes. What was interrupted goes on with the "
        "same command; of what failed, the log's end says why.",
    )
    parse.add_argument(
        "folder",
        nargs="?",
        type=Path,
        default=Path("exp"),
        metavar="DIR",
        help="look below it; default: exp",
    )
    return parse
