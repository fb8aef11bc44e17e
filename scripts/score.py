#!/usr/bin/env python3
"""Score decoded text that is on disk."""

from asrkit.cli.decoding.score import main
from asrkit.cli.main import run

if __name__ == "__main__":
    run(main)
