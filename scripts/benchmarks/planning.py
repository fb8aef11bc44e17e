#!/usr/bin/env python3
"""CPU time of planning batches: a step, and going on late in an epoch.

scripts/benchmarks/planning.py [--utterances 28000 281000] [--processes 1 8]
    [--runs 3]

Made-up utterances as long as read speech, batches of 600 seconds from 30 buckets; what
one of the processes does, without reading. One step of an epoch plans all of it: the
mean is over the steps of a whole epoch. To go on is all from the cuts in memory to the
first batch after 90 % of an epoch.
"""

import argparse
import statistics
import time

import numpy as np
from lhotse import CutSet, MonoCut

from asrkit.cli.main import run
from asrkit.data.batches.cuts import CutList, PlannedCuts, plan_cuts
from asrkit.data.batches.plan import Position

_DONE = 0.9  # of an epoch, where the training goes on


def main() -> int:
    """Print a table."""
    args = _parser().parse_args()
    print(
        "utterances  processes  median ms/step  mean ms/step  steps  s to go on "
        f"(medians of {args.runs} runs)"
    )
    for count in args.utterances:
        cuts = _make_cuts(count)
        for processes in args.processes:
            found = [_measure(cuts, processes) for _ in range(args.runs)]
            median, mean, steps, seconds = map(
                statistics.median, zip(*found, strict=True)
            )
            print(
                f"{count:10}  {processes:9}  {median:14.3f}  {mean:12.3f}  "
                f"{steps:5.0f}  {seconds:10.2f}"
            )
    return 0


def _make_cuts(count: int) -> CutSet:
    """Make utterances of 1 to 17 seconds, most of them long."""
    seconds = np.random.default_rng(0).beta(3.0, 1.4, count) * 16.0 + 1.0
    return CutSet.from_cuts(
        MonoCut(f"u{row}", start=0.0, duration=one, channel=0)
        for row, one in enumerate(seconds.round(3).tolist())
    )


def _plan(cuts: CutSet, processes: int) -> PlannedCuts:
    return plan_cuts(
        CutList(cuts),
        max_duration=600.0,
        max_cuts=None,
        num_buckets=30,
        seed=0,
        rank=processes - 1,
        world_size=processes,
    )


def _measure(cuts: CutSet, processes: int) -> tuple[float, float, float, float]:
    """Return median and mean ms a step, the steps of an epoch, and s to go on."""
    batches, times = iter(_plan(cuts, processes)), []
    here = position = next(batches).position  # plans the first epoch
    while position.epoch == 0:
        start, here = time.process_time(), position
        position = next(batches).position  # in the end plans the second epoch
        times.append(1e3 * (time.process_time() - start))
    start = time.process_time()
    planned = _plan(cuts, processes)
    planned.plan.start = Position(0, int(_DONE * here.batches))
    next(iter(planned))
    seconds = time.process_time() - start
    return statistics.median(times), statistics.mean(times), len(times), seconds


def _parser() -> argparse.ArgumentParser:
    parse = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parse.add_argument(
        "--utterances", type=int, nargs="+", default=[28_000, 281_000], metavar="N"
    )
    parse.add_argument("--processes", type=int, nargs="+", default=[1, 8], metavar="N")
    parse.add_argument("--runs", type=int, default=3, metavar="N")
    return parse


if __name__ == "__main__":
    run(main)
