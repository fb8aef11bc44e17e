#!/usr/bin/env python3
"""Makes the lexicon of tokenizer=phone beside the manifests, if there is none."""

import argparse
from pathlib import Path

from asrkit.cli.data import make_lexicon
from asrkit.cli.main import run
from asrkit.data.corpora.download import CORPORA, download_lexicon
from asrkit.data.corpora.librispeech import kind_of
from asrkit.data.corpora.manifests import list_parts


def main(argv: list[str] | None = None) -> int:
    """Make it from LibriSpeech's own for its parts, by espeak-ng for other English."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", default="demo", metavar="|".join([*CORPORA, "DIR"]))
    parser.add_argument("--manifests", type=Path, required=True, metavar="DIR")
    args = parser.parse_args(argv)
    path = args.manifests.parent / "lexicon.txt"
    if path.exists():
        print(f"lexicon: already done, {path}")
        return 0
    if args.corpus in CORPORA:
        origin = ["--from", str(download_lexicon(path.parent))]
    else:
        origin = ["--espeak"]
    parts = [part for part in list_parts(args.manifests) if kind_of(part) == "train"]
    manifests = ["--manifests", str(args.manifests), "--sets", *parts]
    return make_lexicon.main([*manifests, *origin, "--out", str(path)])


if __name__ == "__main__":
    run(main)
