#!/usr/bin/env python3
"""Make manifests of a user's recordings."""

from asrkit.cli.main import run
from asrkit.cli.prepare import main

if __name__ == "__main__":
    run(main)
