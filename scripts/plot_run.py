#!/usr/bin/env python3
"""Draw a run's curves: scripts/plot_run.py --exp-dir exp/demo --out curves.png."""

import argparse
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

CURVES = [
    (
        "loss per token",
        {"train": "train/loss_per_token", "dev": "valid/loss_per_token"},
    ),
    ("WER on dev, %", {"dev": "valid/wer"}),
    ("learning rate", {"train": "train/learning_rate"}),
]


def main() -> None:
    """Read the event files of a stage and draw them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--exp-dir", type=Path, required=True)
    parser.add_argument("--stage", default="train")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    events = EventAccumulator(str(args.exp_dir / args.stage / "tensorboard"))
    events.Reload()
    figure = Figure(figsize=(12, 3.2), layout="constrained")
    canvas = FigureCanvasAgg(figure)
    for axes, (title, curves) in zip(figure.subplots(1, 3), CURVES, strict=True):
        for label, tag in curves.items():
            points = events.Scalars(tag)
            style = {"marker": "o", "markersize": 4} if label == "dev" else {}
            steps, values = [p.step for p in points], [p.value for p in points]
            axes.plot(steps, values, label=label, **style)
        axes.set_title(title)
        axes.set_xlabel("update")
        axes.grid(alpha=0.3)
        axes.legend()
        if "rate" not in title:
            axes.set_ylim(bottom=0)
    canvas.print_png(args.out)
    print(f"drawn: {args.out}")


if __name__ == "__main__":
    main()
