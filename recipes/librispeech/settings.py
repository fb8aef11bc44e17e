#!/usr/bin/env python3
"""Prints what a corpus asks for, a key=value a line: parts, experiment, folders."""

import argparse
import logging
import sys
from pathlib import Path

from asrkit.cli.main import run
from asrkit.data.corpora.manifests import list_parts, load_cuts
from asrkit.utils.errors import InputError

PARTS = {
    "mini": (["train-clean-5"], ["dev-clean-2"], ["dev-clean-2"]),
    "100": (
        ["train-clean-100"],
        ["dev-clean", "dev-other"],
        ["test-clean", "test-other"],
    ),
    "960": (
        ["train-clean-100", "train-clean-360", "train-other-500"],
        ["dev-clean", "dev-other"],
        ["test-clean", "test-other"],
    ),
}
EXPERIMENTS = [(3, "tiny"), (30, "mini"), (300, "100h"), (float("inf"), "960h")]


def main() -> int:
    """Print the settings; what they are chosen by goes to stderr."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", default="demo")
    parser.add_argument("--data-dir", type=Path, default=Path("data"))
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    name = args.corpus
    if name not in ("demo", *PARTS):
        name = Path(name).resolve().name
    manifests = args.data_dir / name / "manifests"
    train, dev, test = PARTS.get(args.corpus) or find_parts(manifests)
    demo = args.corpus == "demo"
    experiment = "demo" if demo else choose_experiment(manifests, train)
    for line in (
        f"experiment={experiment}",
        f"data.manifests={manifests}",
        f"data.train=[{','.join(train)}]",
        f"data.dev=[{','.join(dev)}]",
        f"data.test=[{','.join(test)}]",
        f"exp_dir=exp/{name}",
    ):
        sys.stdout.write(line + "\n")
    return 0


def find_parts(manifests: Path) -> tuple[list[str], list[str], list[str]]:
    """Sort the parts of a folder by the beginnings of their names."""
    parts = list_parts(manifests)
    train, dev, test = (
        [p for p in parts if p.startswith(kind)] for kind in ("train", "dev", "test")
    )
    if not train or not (dev or test):
        raise InputError(
            f"{manifests} needs a part train* and a part dev* or test*; "
            f"it has {', '.join(parts) or 'none'}: run stage 1 (prepare.py) first"
        )
    return train, dev or test, test or dev


def choose_experiment(manifests: Path, train: list[str]) -> str:
    """Choose by the hours of training audio; kept, since counting takes a while."""
    kept = manifests / ".experiment"
    newest = max(p.stat().st_mtime for p in manifests.glob("*.jsonl.gz"))
    if kept.is_file() and kept.stat().st_mtime > newest:
        return kept.read_text(encoding="utf-8").strip()
    hours = sum(c.duration for part in train for c in load_cuts(manifests, part)) / 3600
    experiment = next(name for limit, name in EXPERIMENTS if hours < limit)
    logging.info("%.1f hours to train on: experiment=%s", hours, experiment)
    kept.write_text(experiment + "\n", encoding="utf-8")
    return experiment


if __name__ == "__main__":
    run(main)
