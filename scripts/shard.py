#!/usr/bin/env python3
"""Write sets of shards to train on."""

from asrkit.cli.main import run
from asrkit.cli.shard import main

if __name__ == "__main__":
    run(main)
