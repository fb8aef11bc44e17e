#!/usr/bin/env python3
"""Make the tokenizer of a configuration: scripts/tokenizer.py key=value ..."""

import find_asrkit

if __name__ == "__main__":
    find_asrkit.run("tokenizer")
