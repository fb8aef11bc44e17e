#!/usr/bin/env python3
"""Decode and score: scripts/decode.py --exp-dir exp/x --sets test."""

from asrkit.cli.decoding.decode import main
from asrkit.cli.main import run

if __name__ == "__main__":
    run(main)
