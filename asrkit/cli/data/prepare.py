"""Make manifests of a user's recordings."""

import argparse
from pathlib import Path

from asrkit.data.corpora.librispeech import find_parts, prepare_part
from asrkit.data.corpora.manifests import write_part
from asrkit.data.corpora.table import prepare_table


def main(argv: list[str] | None = None) -> int:
    """Write manifests and say what is in them."""
    parse = parser()
    args = parse.parse_args(argv)
    if args.librispeech:
        if args.part:
            parse.error("--part goes with --csv and --jsonl")
        for part in find_parts(args.librispeech):
            prepared = prepare_part(args.librispeech, part, jobs=args.jobs)
            corpus = args.corpus or "librispeech"
            print(write_part(part, *prepared, args.out_dir, corpus))
        return 0
    if not args.part:
        parse.error("--part is missing: what to call these recordings, e.g. train")
    prepared = prepare_table(args.csv or args.jsonl, jobs=args.jobs)
    corpus = args.corpus or _corpus_of(args.out_dir)
    print(write_part(args.part, *prepared, args.out_dir, corpus))
    return 0


def _corpus_of(folder: Path) -> str:
    """Name a corpus by its folder, data/calls or data/calls/manifests."""
    path = folder.resolve()
    return (path.parent if path.name == "manifests" else path).name


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        description="Read recordings once and write manifests to train on. What cannot "
        "be trained on is left out and listed.",
        epilog="A table has the columns audio,text and, where wanted, speaker, start "
        "and duration (seconds), id; audio is relative to the table. Example: "
        "prepare.py --csv calls/train.csv --part train --out-dir data/calls/manifests",
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--csv", type=Path, metavar="FILE", help="table, CSV")
    source.add_argument("--jsonl", type=Path, metavar="FILE", help="table, JSON lines")
    source.add_argument(
        "--librispeech", type=Path, metavar="DIR", help="corpus in LibriSpeech layout"
    )
    parser.add_argument(
        "--part",
        metavar="NAME",
        help="what to call a table's recordings: train, dev...",
    )
    parser.add_argument(
        "--corpus",
        metavar="NAME",
        help="begins the manifests' names (default: librispeech for --librispeech, "
        "else the name of the folder)",
    )
    parser.add_argument(
        "--out-dir",
        type=Path,
        required=True,
        metavar="DIR",
        help="write manifests here",
    )
    parser.add_argument(
        "--jobs", type=int, metavar="N", help="threads; default: one a CPU"
    )
    return parser
