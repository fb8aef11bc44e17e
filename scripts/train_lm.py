#!/usr/bin/env python3
"""Train a language model: scripts/train_lm.py lm=lstm|transformer key=value ..."""

from asrkit.cli.main import run
from asrkit.cli.training.train_lm import main

if __name__ == "__main__":
    run(main)
