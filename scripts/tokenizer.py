#!/usr/bin/env python3
"""Make the tokenizer of a configuration: scripts/tokenizer.py key=value ..."""

from asrkit.cli.main import run
from asrkit.cli.tokenizer import main

if __name__ == "__main__":
    run(main)
