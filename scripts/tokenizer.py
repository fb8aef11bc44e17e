#!/usr/bin/env python3
"""Make the tokenizer of a configuration: scripts/tokenizer.py key=value ..."""

from asrkit.cli.data.tokenizer import main
from asrkit.cli.main import run

if __name__ == "__main__":
    run(main)
