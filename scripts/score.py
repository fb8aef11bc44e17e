#!/usr/bin/env python3
"""Score decoded text that is on disk."""

from asrkit.cli.main import run
from asrkit.cli.score import main

if __name__ == "__main__":
    run(main)
