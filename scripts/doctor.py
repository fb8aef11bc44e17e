#!/usr/bin/env python3
"""Show what works here, and how to mend what does not."""

import find_asrkit

if __name__ == "__main__":
    find_asrkit.run("doctor")
