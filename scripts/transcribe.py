#!/usr/bin/env python3
"""Transcribe: scripts/transcribe.py FILE... --exp-dir exp/x."""

from asrkit.cli.decoding.transcribe import main
from asrkit.cli.main import run

if __name__ == "__main__":
    run(main)
