#!/usr/bin/env python3
"""Draw a run's curves, its stages one after the other.

scripts/plot_run.py --exp-dir exp/demo --out curves.png
"""

import argparse
from pathlib import Path
from typing import Any

import find_asrkit  # noqa: F401
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from asrkit.decoding.scoring.error_unit import ErrorUnit

STYLES: dict[str, dict[str, Any]] = {
    "train": {"color": "tab:blue"},
    "dev": {"color": "tab:orange", "marker": "o", "markersize": 4},
}


def main() -> None:
    """Read the event files of the stages that trained and draw them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--exp-dir", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    stages = read_stages(args.exp_dir)
    drawn = choose_curves(stages)
    figure = Figure(figsize=(12, 3.2), layout="constrained")
    canvas = FigureCanvasAgg(figure)
    for axes, (title, curves) in zip(
        figure.subplots(1, len(drawn)), drawn.items(), strict=True
    ):
        start = 0
        for events in stages.values():
            for label, tag in curves.items():
                points = events.Scalars(tag)
                steps = [start + point.step for point in points]
                # One entry in the legend, whatever the number of stages.
                name = "_" * bool(start) + label
                axes.plot(steps, [p.value for p in points], label=name, **STYLES[label])
            start += events.Scalars("optim/learning_rate")[-1].step
        axes.set_xlim(0, start)
        name_stages(axes, stages)
        axes.set_title(title, pad=18 if len(stages) > 1 else None)
        axes.set_xlabel("update")
        axes.grid(alpha=0.3)
        axes.legend()
        if "rate" not in title:
            axes.set_ylim(bottom=0)
    canvas.print_png(args.out)
    print(f"drawn: {args.out}")


def read_stages(exp_dir: Path) -> dict[str, EventAccumulator]:
    """Return the events of the recognizer's stages, in the order of their training."""
    stages = {}
    paths = exp_dir.glob("*/checkpoints/last.pt")
    for path in sorted(paths, key=lambda path: path.stat().st_mtime):
        folder = path.parents[1]
        if not folder.name.startswith("lm_"):
            stages[folder.name] = EventAccumulator(str(folder / "tensorboard"))
            stages[folder.name].Reload()
    return stages


def choose_curves(stages: dict[str, EventAccumulator]) -> dict[str, dict[str, str]]:
    """Return title -> label -> tag; of the error rates the one that the run has."""
    tags = {tag for events in stages.values() for tag in events.Tags()["scalars"]}
    unit = next(unit for unit in ErrorUnit if f"loss/dev/{unit.scalar}" in tags)
    return {
        "loss per token": {
            "train": "loss/train/loss_per_token",
            "dev": "loss/dev/loss_per_token",
        },
        f"{unit.rate} on dev, %": {"dev": f"loss/dev/{unit.scalar}"},
        "learning rate": {"train": "optim/learning_rate"},
    }


def name_stages(axes: Axes, stages: dict[str, EventAccumulator]) -> None:
    """Write the stages' names above, with lines between them; nothing for one."""
    if len(stages) == 1:
        return
    start = 0
    top = axes.get_xaxis_transform()
    for name, events in stages.items():
        end = start + events.Scalars("optim/learning_rate")[-1].step
        axes.axvline(end, color="grey", linewidth=0.8, linestyle=":")
        middle = (start + end) / 2
        axes.text(middle, 1.02, name, ha="center", fontsize=8, transform=top)
        start = end


if __name__ == "__main__":
    main()
