#!/usr/bin/env python3
"""CPU time of planning batches: opening, a step, and going on late in an epoch.

scripts/benchmarks/planning.py [--utterances 28000 281000] [--processes 1 8] [--runs 3]

A manifest of made-up utterances as long as read speech, batches of 600 seconds from 30
buckets; what one of the processes does, without reading audio. To open is to read the
manifest, once. One step of an epoch plans all of it: the mean is over the steps of a
whole epoch. To go on is all from there to the first batch after 90 % of an epoch.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import find_asrkit  # noqa: F401
import numpy as np
from lhotse import CutSet, MonoCut, Recording, SupervisionSegment
from lhotse.audio import AudioSource

from asrkit.cli.main import run
from asrkit.data.batches.cuts import CutList, PlannedCuts, plan_cuts
from asrkit.data.batches.plan import Position

_DONE = 0.9  # of an epoch, where the training goes on


def main() -> int:
    """Print a table."""
    args = _parser().parse_args()
    print(
        "utterances  processes  s to open  median ms/step  mean ms/step  steps  "
        f"s to go on (medians of {args.runs} runs)"
    )
    with tempfile.TemporaryDirectory() as folder:
        for count in args.utterances:
            path = Path(folder) / f"{count}.jsonl.gz"
            write_manifest(path, count)
            for processes in args.processes:
                found = [_measure(path, processes) for _ in range(args.runs)]
                opened, median, mean, steps, seconds = map(
                    statistics.median, zip(*found, strict=True)
                )
                print(
                    f"{count:10}  {processes:9}  {opened:9.2f}  {median:14.3f}  "
                    f"{mean:12.3f}  {steps:5.0f}  {seconds:10.2f}"
                )
    return 0


def write_manifest(path: Path, count: int) -> None:
    """Write utterances of 1 to 17 seconds, most of them long."""
    seconds = np.random.default_rng(0).beta(3.0, 1.4, count) * 16.0 + 1.0
    with CutSet.open_writer(path) as writer:
        for row, one in enumerate(seconds.round(3).tolist()):
            writer.write(_make_cut(f"speaker-chapter-{row:06}", one))


def _make_cut(name: str, seconds: float) -> MonoCut:
    source = AudioSource("file", [0], f"data/corpus/speaker/chapter/{name}.flac")
    recording = Recording(name, [source], 16000, round(16000 * seconds), seconds)
    said = SupervisionSegment(name, name, 0.0, seconds, text="WORD " * int(seconds * 3))
    return MonoCut(name, 0.0, seconds, 0, recording=recording, supervisions=[said])


def _plan(cuts: CutList, processes: int) -> PlannedCuts:
    return plan_cuts(
        cuts,
        max_duration=600.0,
        max_cuts=None,
        num_buckets=30,
        seed=0,
        rank=processes - 1,
        world_size=processes,
    )


def _measure(path: Path, processes: int) -> tuple[float, float, float, float, float]:
    """Return s to open, median and mean ms a step, steps, and s to go on."""
    start = time.process_time()
    cuts = CutList(CutSet.from_jsonl_lazy(path))
    opened = time.process_time() - start
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
    median, mean = statistics.median(times), statistics.mean(times)
    return opened, median, mean, len(times), seconds


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
