#!/usr/bin/env python3
"""Average checkpoints: scripts/average.py --exp-dir exp/x --last 3."""

from asrkit.cli.main import run
from asrkit.cli.training.average import main

if __name__ == "__main__":
    run(main)
