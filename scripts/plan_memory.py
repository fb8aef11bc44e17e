#!/usr/bin/env python3
"""Compare the losses' memory: scripts/plan_memory.py key=value ... (as train.py)."""

import find_asrkit

if __name__ == "__main__":
    find_asrkit.run("plan_memory")
