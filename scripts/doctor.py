#!/usr/bin/env python3
"""Show what works here, and how to mend what does not."""

import sys
from pathlib import Path

# Unlike the other scripts this one has to run where asrkit is not installed.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from asrkit.cli.doctor import main
from asrkit.cli.main import run

if __name__ == "__main__":
    run(main)
