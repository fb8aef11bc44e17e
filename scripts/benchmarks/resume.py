#!/usr/bin/env python3
"""How long a killed training takes to its next update, early and late in an epoch.

scripts/benchmarks/resume.py --manifests data/demo/manifests [--utterances 10000]
    [--shares 0.05 0.95] [--runs 3] [key=value ...]

Trains a small model on the train set, repeated until it has so many utterances; kills
it at those shares of the first epoch; then times the same command from its start to
its first new update, saved.
"""

import argparse
import itertools
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import find_asrkit  # noqa: F401
from lhotse import CutSet

from asrkit.cli.main import run
from asrkit.data.corpora.manifests import load_cuts, manifest_path
from asrkit.training.checkpoints.checkpoint import State, load_checkpoint
from asrkit.utils.errors import InputError

_SMALL = [
    "tokenizer=char", "augment=none", "encoder=conformer_2m", "encoder.num_layers=1",
    "encoder.dim=32", "encoder.ff_dim=32", "predictor.dim=16", "joiner.dim=16",
    "loss=pruned", "num_epochs=2", "trainer.save_every_updates=1",
    "data.max_duration=300",
]  # fmt: skip


def main() -> int:
    """Print a table."""
    args, overrides = _parser().parse_known_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        _repeat(args.manifests, folder / "manifests", args.utterances)
        command = [
            sys.executable, str(Path(__file__).parents[1] / "train.py"),
            f"data.manifests={folder / 'manifests'}", *_SMALL, *overrides,
        ]  # fmt: skip
        killed = {}
        for share in sorted(args.shares):
            _train_until(command, folder / "exp", share)
            killed[share] = shutil.copytree(folder / "exp", folder / f"at-{share:g}")
        times: dict[float, list[float]] = {share: [] for share in killed}
        for _ in range(args.runs):  # in turn, so that all meet the same weather
            for share, exp_dir in killed.items():
                times[share].append(_resume(command, exp_dir, folder / "again"))
        print(
            f"epoch done  s to the next update ({args.utterances} utterances, medians "
            f"of {args.runs} runs)"
        )
        for share, exp_dir in killed.items():
            done = _state(exp_dir)["epochs"]
            print(f"{done:9.1%}  {statistics.median(times[share]):.2f}")
    return 0


def _repeat(manifests: Path, folder: Path, count: int) -> None:
    """Write manifests whose train set has so many utterances."""
    train = list(load_cuts(manifests, "train"))
    repeated = (
        cut.with_id(f"{cut.id}-{number}")
        for number, cut in enumerate(itertools.islice(itertools.cycle(train), count))
    )
    folder.mkdir()
    CutSet.from_cuts(repeated).to_file(manifest_path(folder, "train"))
    for part in ("dev", "test"):
        shutil.copy(manifest_path(manifests, part), manifest_path(folder, part))


def _state(exp_dir: Path) -> State:
    return load_checkpoint(exp_dir / "train" / "checkpoints" / "last.pt")


def _start(command: list[str], exp_dir: Path) -> subprocess.Popen[bytes]:
    with exp_dir.with_suffix(".log").open("w") as log:
        return subprocess.Popen(
            [*command, f"exp_dir={exp_dir}"],
            stdout=subprocess.DEVNULL,
            stderr=log,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )


def _train_until(command: list[str], exp_dir: Path, share: float) -> None:
    """Train until so much of the first epoch is done; kill it then."""
    last = exp_dir / "train" / "checkpoints" / "last.pt"
    with _start(command, exp_dir) as process:
        while not last.exists() or _state(exp_dir)["epochs"] < share:
            if process.poll() is not None:
                output = exp_dir.with_suffix(".log").read_text()
                raise InputError(f"training ended too early:\n{output[-2000:]}")
            time.sleep(0.05)
        process.kill()


def _resume(command: list[str], killed: Path, exp_dir: Path) -> float:
    """Go on in a copy of a killed run; return the seconds to the next update."""
    shutil.rmtree(exp_dir, ignore_errors=True)
    shutil.copytree(killed, exp_dir)
    last = exp_dir / "train" / "checkpoints" / "last.pt"
    before, start = last.stat().st_ino, time.perf_counter()
    with _start(command, exp_dir) as process:
        while last.stat().st_ino == before and process.poll() is None:
            time.sleep(0.01)
        seconds = time.perf_counter() - start
        process.kill()
    return seconds


def _parser() -> argparse.ArgumentParser:
    parse = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parse.add_argument("--manifests", type=Path, required=True, metavar="DIR")
    parse.add_argument("--utterances", type=int, default=10_000, metavar="N")
    parse.add_argument("--shares", type=float, nargs="+", default=[0.05, 0.95])
    parse.add_argument("--runs", type=int, default=3, metavar="N")
    return parse


if __name__ == "__main__":
    run(main)
