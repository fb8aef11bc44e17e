#!/usr/bin/env python3
"""Score decoded text that is on disk."""

import find_asrkit

if __name__ == "__main__":
    find_asrkit.run("score")
