#!/usr/bin/env python3
"""Store features on disk: scripts/compute_features.py key=value ... ."""

import find_asrkit

if __name__ == "__main__":
    find_asrkit.run("compute_features")
