"""asrkit: trains transducer speech recognizers with little memory and compute."""

import os

__version__ = "0.1.0"

# Threads of OpenMP spin while they wait, and where another process needs the core they
# keep it from working. OpenMP reads this when torch loads it, and later never again;
# every module of asrkit imports torch after this.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
