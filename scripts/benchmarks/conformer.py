#!/usr/bin/env python3
"""Conformer forward+backward against torchaudio.models.Conformer of the same size.

Both get the same frames of the same ragged batch; ours without its subsampling, which
torchaudio's model does not have. Prints the median of each and their ratio; with
--memory the peak memory of each, measured in a process of its own.
"""

import argparse
import statistics
import subprocess
import sys
import time

import find_asrkit  # noqa: F401
import torch
from torch import Tensor, nn

from asrkit.models.conformer import Conformer, Positions
from asrkit.utils.lengths import make_pad_mask
from asrkit.utils.memory import PeakMemory


class Ours(nn.Module):
    """asrkit's conformer blocks on frames of the model dimension."""

    def __init__(self, args: argparse.Namespace) -> None:
        super().__init__()
        self.conformer = Conformer(
            80,
            num_layers=args.layers,
            dim=args.dim,
            num_heads=args.heads,
            ff_dim=4 * args.dim,
            kernel_size=args.kernel,
            dropout=0.1,
            positions=Positions.ROTARY,
            subsampling_channels=8,
        )
        del self.conformer.frontend

    def forward(self, x: Tensor, lens: Tensor) -> Tensor:
        """Encode (B, T, D)."""
        return list(self.conformer.encode_frames(x, lens))[-1]


class Theirs(nn.Module):
    """torchaudio's conformer."""

    def __init__(self, args: argparse.Namespace) -> None:
        super().__init__()
        from torchaudio.models import Conformer as TorchaudioConformer

        self.conformer = TorchaudioConformer(
            args.dim, args.heads, 4 * args.dim, args.layers, args.kernel, dropout=0.1
        )

    def forward(self, x: Tensor, lens: Tensor) -> Tensor:
        """Encode (B, T, D)."""
        out: Tensor = self.conformer(x, lens)[0]
        return out


def step(model: nn.Module, x: Tensor, lens: Tensor) -> float:
    """Run forward and backward once; return seconds."""
    start = time.perf_counter()
    out = model(x, lens)
    out.masked_fill(make_pad_mask(lens, x.shape[1])[..., None], 0.0).sum().backward()
    return time.perf_counter() - start


def inputs(args: argparse.Namespace) -> tuple[Tensor, Tensor]:
    """Make a ragged batch."""
    torch.manual_seed(0)
    lens = torch.randint(args.frames // 2, args.frames + 1, (args.batch,))
    lens[0] = args.frames
    return torch.randn(args.batch, args.frames, args.dim), lens


def main() -> None:
    """Print times, memory and ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (
        ("layers", 4), ("dim", 144), ("heads", 4), ("kernel", 15),
        ("batch", 24), ("frames", 48), ("runs", 15), ("threads", 2),
    ):  # fmt: skip
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--only", choices=["ours", "theirs"], help=argparse.SUPPRESS)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    x, lens = inputs(args)
    if args.only:
        print_peak(Ours(args) if args.only == "ours" else Theirs(args), x, lens)
        return
    models: dict[str, nn.Module] = {"ours": Ours(args), "theirs": Theirs(args)}
    times: dict[str, list[float]] = {name: [] for name in models}
    for _ in range(args.runs):
        for name, model in models.items():  # in turn, so that drift hits both
            times[name].append(step(model, x, lens))
    millis = {name: 1e3 * statistics.median(t[2:]) for name, t in times.items()}
    memory = {name: measure_memory(name) for name in models}
    sizes = {
        name: float(sum(p.numel() for p in model.parameters()))
        for name, model in models.items()
    }
    print(f"{'':16}{'asrkit':>10}{'torchaudio':>12}{'ratio':>8}")
    rows: list[tuple[str, dict[str, float], float]] = [
        ("parameters, M", sizes, 1e-6),
        ("median, ms", millis, 1.0),
        ("peak, MiB", memory, 1.0),
    ]
    for title, values, scale in rows:
        ours, theirs = values["ours"] * scale, values["theirs"] * scale
        print(f"{title:16}{ours:10.2f}{theirs:12.2f}{ours / theirs:8.2f}")


def print_peak(model: nn.Module, x: Tensor, lens: Tensor) -> None:
    """Print how far the process grows over three steps, MiB."""
    peak = PeakMemory(torch.device("cpu"))
    for _ in range(3):
        step(model, x, lens)
    print(peak.read())


def measure_memory(name: str) -> float:
    """Return the peak memory of one model over the imports, MiB."""
    command = [sys.executable, *sys.argv, "--only", name]
    return float(subprocess.run(command, capture_output=True, check=True).stdout)


if __name__ == "__main__":
    main()
