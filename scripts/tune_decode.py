#!/usr/bin/env python3
"""Find the scales of a search on dev: scripts/tune_decode.py --exp-dir exp/x."""

from asrkit.cli.decoding.tune_decode import main
from asrkit.cli.main import run

if __name__ == "__main__":
    run(main)
