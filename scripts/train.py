#!/usr/bin/env python3
"""Train: scripts/train.py key=value ... (see --help and --cfg job)."""

from asrkit.cli.main import run
from asrkit.cli.training.train import main

if __name__ == "__main__":
    run(main)
