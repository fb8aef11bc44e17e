#!/usr/bin/env python3
"""Make a lexicon: the phones of the words of transcripts or of texts."""

from asrkit.cli.main import run
from asrkit.cli.make_lexicon import main

if __name__ == "__main__":
    run(main)
