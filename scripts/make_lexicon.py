#!/usr/bin/env python3
"""Make a lexicon: the phones of the words of transcripts or of texts."""

import find_asrkit

if __name__ == "__main__":
    find_asrkit.run("make_lexicon")
