#!/usr/bin/env python3
"""Write sets of shards to train on."""

import find_asrkit

if __name__ == "__main__":
    find_asrkit.run("shard")
