#!/usr/bin/env python3
"""Align audio with text: scripts/align.py --exp-dir exp/x --audio FILE --text WORDS."""

import find_asrkit

if __name__ == "__main__":
    find_asrkit.run("align")
