#!/usr/bin/env python3
"""Find the scales of a search on dev: scripts/tune_decode.py --exp-dir exp/x."""

import find_asrkit

if __name__ == "__main__":
    find_asrkit.run("tune_decode")
