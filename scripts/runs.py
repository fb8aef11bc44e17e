#!/usr/bin/env python3
"""List experiments and how they are."""

from asrkit.cli.main import run
from asrkit.cli.training.runs import main

if __name__ == "__main__":
    run(main)
