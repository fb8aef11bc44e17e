#!/usr/bin/env python3
"""Find the scales of a search on dev: scripts/tune_decode.py --exp-dir exp/x."""

from asrkit.cli.main import run
from asrkit.cli.tune_decode import main

if __name__ == "__main__":
    run(main)
