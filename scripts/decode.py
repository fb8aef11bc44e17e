#!/usr/bin/env python3
"""Decode and score: scripts/decode.py --exp-dir exp/x --sets test."""

import find_asrkit

if __name__ == "__main__":
    find_asrkit.run("decode")
