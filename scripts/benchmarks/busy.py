#!/usr/bin/env python3
"""What another busy process costs: the fused loss and updates of the demo's training.

scripts/benchmarks/busy.py --manifests data/demo/manifests [--runs 3] [key=value ...]

On two cores, idle and with a loop that keeps one of them busy; with OpenMP's threads
waiting asleep, as asrkit has it, and spinning, as torch has it by itself. Prints the
medians and their ratios. Linux only.
"""

import argparse
import os
import runpy
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import find_asrkit  # noqa: F401

_TRAIN = Path(__file__).parents[1] / "train.py"
_RECIPE = Path(__file__).parents[2] / "recipes/librispeech/conf"


def main() -> None:
    """Print a table."""
    args, overrides = _parser().parse_known_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
    for name in ("OMP_WAIT_POLICY", "OMP_NUM_THREADS"):
        os.environ.pop(name, None)
    train = [
        "--config-dir", str(_RECIPE), "experiment=demo", "trainer.log_every=5",
        f"data.manifests={args.manifests}", f"num_updates={args.updates}",
        "trainer.device=cpu", "trainer.validate_every=1000", *overrides,
    ]  # fmt: skip
    print("seconds        idle    busy   ratio")
    for what in ("loss", "update"):
        for policy in ("sleeping", "spinning"):
            times: list[list[float]] = [[], []]
            for _ in range(args.runs):  # in turn, so that both meet the same weather
                times[0].append(_measure(what, policy, train))
                with _busy():
                    times[1].append(_measure(what, policy, train))
            idle, busy = map(statistics.median, times)
            print(f"{what:7}{policy:9}{idle:7.3f} {busy:7.3f} {busy / idle:7.2f}")


@contextmanager
def _busy() -> Iterator[None]:
    """Keep one core busy meanwhile."""
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as process:
        yield
        process.kill()


def _measure(what: str, policy: str, train: list[str]) -> float:
    """Return the median seconds of a loss or an update in a process of its own."""
    command = [sys.executable, __file__, "--child", what, policy]
    with tempfile.TemporaryDirectory() as folder:
        if what == "update":
            command += [*train, f"exp_dir={folder}"]
        output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        if what == "loss":
            return float(output.stdout)
        return _seconds_per_update(Path(folder))


def _seconds_per_update(exp_dir: Path) -> float:
    """Read a training's speed; its first points are spent on opening the data."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(exp_dir / "train/tensorboard"))
    events.Reload()
    points = events.Scalars("speed/updates_per_second")[3:]
    return 1.0 / statistics.median(point.value for point in points)


def _child(what: str, policy: str, arguments: list[str]) -> None:
    """Measure in this process."""
    if policy == "spinning":
        import torch  # noqa: F401 - before asrkit, which is too late then
    if what == "loss":
        print(_time_loss())
        return
    sys.argv = [str(_TRAIN), *arguments]
    runpy.run_path(str(_TRAIN), run_name="__main__")


def _time_loss() -> float:
    """Return the median seconds of the fused loss, forward and backward."""
    from asrkit.transducer.fused import fused_loss

    # isort: split
    import torch

    B, T, U, V, J = 8, 100, 20, 500, 256
    torch.manual_seed(0)
    enc = torch.randn(B, T, J, requires_grad=True)
    pred = torch.randn(B, U + 1, J, requires_grad=True)
    weight = (torch.randn(V, J) * J**-0.5).requires_grad_()
    bias = torch.zeros(V, requires_grad=True)
    tokens = torch.randint(1, V, (B, U))
    lens = torch.full((B,), T), torch.full((B,), U)
    seconds = []
    for _ in range(12):
        start = time.perf_counter()
        fused_loss(enc, pred, weight, bias, tokens, *lens).sum().backward()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[2:])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--manifests", type=Path, required=True, metavar="DIR")
    parser.add_argument("--updates", type=int, default=60, metavar="N")
    parser.add_argument("--runs", type=int, default=3, metavar="N")
    return parser


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        _child(sys.argv[2], sys.argv[3], sys.argv[4:])
    else:
        main()
