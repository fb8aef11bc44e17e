"""asrkit: trains transducer speech recognizers with little memory and little compute."""

__version__ = "0.1.0"
