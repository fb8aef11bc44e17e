#!/usr/bin/env python3
"""Store features on disk: scripts/compute_features.py key=value ... ."""

from asrkit.cli.data.compute_features import main
from asrkit.cli.main import run

if __name__ == "__main__":
    run(main)
