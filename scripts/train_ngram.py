#!/usr/bin/env python3
"""Train an n-gram language model: ARPA, over the tokens of a tokenizer."""

from asrkit.cli.main import run
from asrkit.cli.training.train_ngram import main

if __name__ == "__main__":
    run(main)
