#!/usr/bin/env python3
"""Compare the losses' memory: scripts/plan_memory.py key=value ... (as train.py)."""

from asrkit.cli.main import run
from asrkit.cli.training.plan_memory import main

if __name__ == "__main__":
    run(main)
