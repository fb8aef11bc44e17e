"""asrkit: trains transducer speech recognizers with little memory and compute."""

__version__ = "0.1.0"
