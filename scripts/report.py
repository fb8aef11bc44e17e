#!/usr/bin/env python3
"""Show the results of a run, and where everything is."""

import find_asrkit

if __name__ == "__main__":
    find_asrkit.run("report")
