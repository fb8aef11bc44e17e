#!/usr/bin/env python3
"""Average checkpoints: scripts/average.py --exp-dir exp/x --last 3."""

import find_asrkit

if __name__ == "__main__":
    find_asrkit.run("average")
