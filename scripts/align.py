#!/usr/bin/env python3
"""Align audio with text: scripts/align.py --exp-dir exp/x --audio FILE --text WORDS."""

from asrkit.cli.decoding.align import main
from asrkit.cli.main import run

if __name__ == "__main__":
    run(main)
