#!/usr/bin/env python3
"""Make manifests of a user's recordings."""

import find_asrkit

if __name__ == "__main__":
    find_asrkit.run("prepare")
