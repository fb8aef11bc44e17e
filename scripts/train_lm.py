#!/usr/bin/env python3
"""Train a language model: scripts/train_lm.py lm=lstm|transformer key=value ..."""

import find_asrkit

if __name__ == "__main__":
    find_asrkit.run("train_lm")
