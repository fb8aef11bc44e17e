#!/usr/bin/env python3
"""What settings do to the error rate, over seeds: a table of runs of a recipe.

scripts/benchmarks/settings.py TABLE.yaml --folder DIR [--jobs 2] [--seeds 1 2 3]
                               [--only NAME ...]

TABLE.yaml says which recipe is run, what all runs have, and what each has of its own:

    run: recipes/librispeech/run.sh --corpus demo
    all: [num_updates=600]
    settings:
      single: []
      progressive: [pipeline=progressive]

So many runs go on at a time, with one thread each, each in DIR/SETTING-SEED; what is
done is not done again, so that a table can grow. Prints the median updates and minutes
of all stages, the error rate on test, and its mean and standard deviation over seeds.
"""

import argparse
import itertools
import json
import os
import shlex
import statistics
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import find_asrkit  # noqa: F401
import yaml

from asrkit.pipeline.experiments_table import read_test_rates


def main() -> None:
    """Run what is missing and print the table."""
    args = _parser().parse_args()
    table = yaml.safe_load(args.table.read_text(encoding="utf-8"))
    names = args.only or list(table["settings"])
    runs = {
        (name, seed): Run(
            args.folder / f"{name}-{seed}",
            [
                *shlex.split(table["run"]),
                *("--stage", "4", *table.get("all", [])),
                *(*table["settings"][name], f"seed={seed}"),
            ],
        )
        # Seed by seed: after the first, all settings can be compared.
        for seed, name in itertools.product(args.seeds, names)
    }
    args.folder.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(args.jobs) as pool:
        for run in pool.map(Run.go, runs.values()):
            print(f"{run.folder.name}: {run.outcome}", file=sys.stderr, flush=True)
    seeds = ", ".join(map(str, args.seeds))
    print(f"| setting | updates | minutes | test error %, seeds {seeds} | mean | sd |")
    print("|---|---|---|---|---|---|")
    for name in names:
        print(row(name, [runs[name, seed] for seed in args.seeds]))


@dataclass
class Run:
    """A run of a recipe with one setting and one seed."""

    folder: Path
    """Of the experiment; what the command prints is kept beside it."""
    command: list[str]

    def go(self) -> "Run":
        """Run it, unless it is done."""
        if self.wer is None:
            with self.folder.with_suffix(".txt").open("w") as output:
                subprocess.run(
                    [*self.command, f"exp_dir={self.folder}"],
                    env={**os.environ, "OMP_NUM_THREADS": "1"},
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    check=False,  # the other runs go on
                )
        return self

    @property
    def wer(self) -> float | None:
        """Error rate on test in percent; None if the run has not come to its end."""
        rates = read_test_rates(self.folder / "decode/results.json")
        return next((rate.percent for rate in rates.values()), None)

    @property
    def outcome(self) -> str:
        """The error rate, or where to look for what went wrong."""
        if self.wer is None:
            return f"no error rate, see {self.folder.with_suffix('.txt')}"
        return f"{self.wer:.2f} %"

    def total(self, fact: str) -> float:
        """Sum a fact of all stages, e.g. updates or seconds."""
        files = self.folder.glob("*/done")
        return sum(json.loads(file.read_text("utf-8")).get(fact, 0) for file in files)


def row(name: str, runs: Sequence[Run]) -> str:
    """Return a line of the table; runs without an end are left out of the mean."""
    wers = [run.wer for run in runs]
    found = [wer for wer in wers if wer is not None]
    shown = ", ".join("-" if wer is None else f"{wer:.2f}" for wer in wers)
    if not found:
        return f"| {name} | | | {shown} | | |"
    spread = f"{statistics.stdev(found):.2f}" if len(found) > 1 else ""
    done = [run for run in runs if run.wer is not None]
    updates = statistics.median(run.total("updates") for run in done)
    minutes = statistics.median(run.total("seconds") for run in done) / 60
    mean = statistics.mean(found)
    return f"| {name} | {updates:g} | {minutes:.1f} | {shown} | {mean:.2f} | {spread} |"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("table", type=Path)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--only", nargs="+", help="settings of the table")
    return parser


if __name__ == "__main__":
    main()
