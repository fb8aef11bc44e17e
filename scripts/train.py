#!/usr/bin/env python3
"""Train: scripts/train.py key=value ... (see --help and --cfg job)."""

import find_asrkit

if __name__ == "__main__":
    find_asrkit.run("train")
