#!/usr/bin/env python3
"""Compare the losses' memory: scripts/plan.py key=value ... (those of train.py)."""

from asrkit.cli.main import run
from asrkit.cli.plan import main

if __name__ == "__main__":
    run(main)
