#!/usr/bin/env python3
"""Transcribe: scripts/transcribe.py FILE... --exp-dir exp/x."""

from asrkit.cli.main import run
from asrkit.cli.transcribe import main

if __name__ == "__main__":
    run(main)
