#!/usr/bin/env python3
"""Make a lexicon: the phones of the words of transcripts or of texts."""

from asrkit.cli.data.make_lexicon import main
from asrkit.cli.main import run

if __name__ == "__main__":
    run(main)
