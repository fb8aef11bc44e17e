#!/usr/bin/env python3
"""Average checkpoints: scripts/average.py --exp-dir exp/x --last 3."""

from asrkit.cli.average import main
from asrkit.cli.main import run

if __name__ == "__main__":
    run(main)
