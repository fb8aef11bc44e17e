#!/usr/bin/env python3
"""Make manifests of a user's recordings."""

from asrkit.cli.data.prepare import main
from asrkit.cli.main import run

if __name__ == "__main__":
    run(main)
