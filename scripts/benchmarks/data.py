#!/usr/bin/env python3
"""Audio hours that a CPU core reads in an hour: from single files and from shards.

scripts/benchmarks/data.py --manifests data/demo/manifests --set train
    [--shards DIR-OR-URL] [--speeds 0.9 1.0 1.1] [--runs 3]

The pipeline alone, in one process without workers: planning, reading, decoding,
augmentation and collation, one pass over the set. Without --shards, a set of them is
written to a temporary folder first.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import find_asrkit  # noqa: F401
import torch

from asrkit.cli.main import run
from asrkit.data.batches.batch import Batch
from asrkit.data.batches.cuts import (
    CutList,
    PlannedBatch,
    PlannedCuts,
    Source,
    plan_cuts,
)
from asrkit.data.batches.loader import make_loader
from asrkit.data.batches.mixture import Mixture, open_mixture
from asrkit.data.batches.plan import Position
from asrkit.data.corpora.manifests import load_cuts
from asrkit.data.features.wave_augment import WaveAugmentConfig
from asrkit.data.shards.shard import Field, open_shards
from asrkit.data.shards.writer import write_shards
from asrkit.text.char import CharTokenizerConfig

_MAX_DURATION = 200.0  # seconds of audio in a batch
_NUM_BUCKETS = 10


def main() -> int:
    """Print a table."""
    args = _parser().parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        shards = args.shards or _write(args.manifests, args.set, Path(temporary))
        plans: dict[str, Callable[[], Iterable[PlannedBatch]]] = {
            "files": lambda: _plan(CutList(load_cuts(args.manifests, args.set))),
            "shards": lambda: _plan(_open_shards(shards)),
        }
        print(
            "source  utterances  audio h   wall s    CPU s  audio h/core h  "
            f"(medians of {args.runs} runs)"
        )
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in plans}
        sizes: dict[str, tuple[int, float]] = {}
        for _ in range(args.runs):  # in turn, so that both meet the same weather
            for name, make in plans.items():
                *size, wall, cpu = _one_pass(make, args.speeds)
                sizes[name] = (int(size[0]), size[1])
                times[name].append((wall, cpu))
        for name, found in times.items():
            wall, cpu = map(statistics.median, zip(*found, strict=True))
            count, hours = sizes[name]
            print(
                f"{name:6}  {count:10}  {hours:7.3f}  {wall:7.2f}  {cpu:7.2f}  "
                f"{hours / (cpu / 3600):14.0f}"
            )
    return 0


def _write(manifests: Path, part: str, folder: Path) -> str:
    cuts = load_cuts(manifests, part)
    write_shards(
        cuts, folder, field=Field.RECORDING, shard_size=250, jobs=os.cpu_count() or 1
    )
    return str(folder)


def _plan(source: Source) -> PlannedCuts:
    return plan_cuts(
        source,
        max_duration=_MAX_DURATION,
        max_cuts=None,
        num_buckets=_NUM_BUCKETS,
        seed=0,
    )


def _open_shards(shards: str) -> Mixture:
    ids = {cut.id for cut in open_shards(shards)}
    return open_mixture([shards], [], ids, block=8, seed=0)


def _one_pass(
    make: Callable[[], Iterable[PlannedBatch]], speeds: list[float]
) -> tuple[int, float, float, float]:
    """Read a set once; return utterances, hours of audio, seconds and CPU seconds."""
    tokenizer = CharTokenizerConfig().train(["A"])
    augment = WaveAugmentConfig(speeds=speeds).build()
    wall, cpu = time.perf_counter(), time.process_time()
    count, seconds = 0, 0.0
    loader: Iterator[tuple[Batch, Position]] = make_loader(
        make(), tokenizer, 16000, augment=augment, stored_features=False,
        num_workers=0, prefetch=1,
    )  # fmt: skip
    for batch, position in loader:
        count += len(batch.ids)
        seconds += batch.seconds
        if position.epoch > 0:
            break
    return (
        count,
        seconds / 3600,
        time.perf_counter() - wall,
        time.process_time() - cpu,
    )


def _parser() -> argparse.ArgumentParser:
    parse = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parse.add_argument("--manifests", type=Path, required=True, metavar="DIR")
    parse.add_argument("--set", default="train", help="default: train")
    parse.add_argument("--shards", metavar="DIR", help="folder or URL of the same set")
    parse.add_argument(
        "--speeds",
        type=float,
        nargs="+",
        default=[1.0],
        metavar="X",
        help="speed perturbation; default: none",
    )
    parse.add_argument("--runs", type=int, default=3, metavar="N")
    return parse


if __name__ == "__main__":
    run(main)
