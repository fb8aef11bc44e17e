#!/usr/bin/env python3
"""List experiments and how they are."""

import find_asrkit

if __name__ == "__main__":
    find_asrkit.run("runs")
