#!/usr/bin/env python3
"""Write sets of shards to train on."""

from asrkit.cli.data.shard import main
from asrkit.cli.main import run

if __name__ == "__main__":
    run(main)
