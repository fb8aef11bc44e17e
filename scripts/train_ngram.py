#!/usr/bin/env python3
"""Train an n-gram language model: ARPA, over the tokens of a tokenizer."""

import find_asrkit

if __name__ == "__main__":
    find_asrkit.run("train_ngram")
