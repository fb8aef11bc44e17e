#!/usr/bin/env python3
"""Transcribe: scripts/transcribe.py FILE... --exp-dir exp/x."""

import find_asrkit

if __name__ == "__main__":
    find_asrkit.run("transcribe")
