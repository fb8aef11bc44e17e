"""List experiments: what each does or has done, how good it is, how long it takes."""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

from asrkit.decoding.scoring.error_unit import ErrorUnit
from asrkit.pipeline.experiments_table import Experiment, Rate, list_experiments
from asrkit.training.progress.console import format_seconds


def main(argv: list[str] | None = None) -> int:
    """Print the table."""
    args = parser().parse_args(argv)
    experiments = list_experiments(args.folder)
    rows = [_header(experiments), *map(_row, experiments)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print(_line(row, widths))
    return 0


def _header(experiments: Sequence[Experiment]) -> tuple[str, ...]:
    """Name the columns; see `_show`."""
    rates = [rate for one in experiments for rate in _rates(one)]
    name = "/".join(dict.fromkeys(rate.unit.rate for rate in rates)) or "WER"
    return (
        "experiment", "state", "stage", "update", f"dev {name}", f"test {name}",
        "last sign", "left",
    )  # fmt: skip


def _rates(experiment: Experiment) -> list[Rate]:
    dev = [] if experiment.dev_rate is None else [experiment.dev_rate]
    return [*dev, *experiment.test_rates.values()]


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
    return "  ".join(cells).rstrip()


def _row(experiment: Experiment) -> tuple[str, ...]:
    dev, tests = experiment.dev_rate, experiment.test_rates
    stamp = time.strftime("%Y-%m-%d %H:%M", time.localtime(experiment.updated))
    return (
        experiment.name,
        experiment.state.value,
        experiment.stage,
        "" if experiment.update is None else str(experiment.update),
        "" if dev is None else _show(dev),
        ", ".join(f"{name} {_show(rate)}" for name, rate in tests.items()),
        stamp,
        "" if experiment.left is None else format_seconds(experiment.left),
    )


def _show(rate: Rate) -> str:
    """Write an error rate; its name says when it does not count words."""
    name = "" if rate.unit is ErrorUnit.WORD else f" {rate.unit.rate}"
    return f"{rate.percent:.2f}{name}"


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parse = argparse.ArgumentParser(
        description="List experiments, the newest last: state (training, interrupted, "
        "done, failed), stage, update, best error rate on dev and on the decoded sets, "
        "and the time that the stage still takes. What was interrupted goes on with "
        "the same command; of what failed, the log's end says why.",
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
