"""Write sets of shards to train on, from a disk or behind a URL."""

import argparse
import logging
import os
from pathlib import Path

from asrkit.cli.logs import start_logging
from asrkit.data.corpora.manifests import load_cuts
from asrkit.data.shards.shard import Field
from asrkit.data.shards.writer import index_shards, write_shards

logger = logging.getLogger(__name__)


def main(argv: list[str] | None = None) -> int:
    """Write the sets and say how to train on them."""
    parse = parser()
    args = parse.parse_args(argv)
    start_logging(None, "shard")
    if args.index:
        count = index_shards(args.index)
        logger.info("%s: %d shards; data.shards=[%s]", args.index, count, args.index)
        return 0
    if not (args.sets and args.out_dir):
        parse.error("--sets and --out-dir go with --manifests")
    if args.shard_size < 1 or args.jobs < 1:
        parse.error("--shard-size and --jobs must be at least 1")
    for part in args.sets:
        folder = args.out_dir / part
        write_shards(
            load_cuts(args.manifests, part),
            folder,
            field=Field(args.field),
            shard_size=args.shard_size,
            jobs=args.jobs,
        )
        logger.info("%s: to train on it, data.shards=[%s]", part, folder)
    return 0


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parse = argparse.ArgumentParser(
        description="Write utterances and their audio as shards (Lhotse Shar): a few "
        "large files that training reads from a disk or a URL. The same command "
        "again goes on where it was broken off.",
        epilog="Example: shard.py --manifests data/demo/manifests --sets train "
        "--out-dir data/demo/shards; then scripts/train.py "
        "data.shards=[data/demo/shards/train]",
    )
    source = parse.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--manifests", type=Path, metavar="DIR", help="folder of the sets' manifests"
    )
    source.add_argument(
        "--index",
        type=Path,
        metavar="DIR",
        help="only index the Shar files there, which Lhotse or another tool wrote",
    )
    parse.add_argument("--sets", nargs="+", metavar="SET", help="e.g. train")
    parse.add_argument(
        "--out-dir", type=Path, metavar="DIR", help="SET goes to DIR/SET"
    )
    parse.add_argument(
        "--field",
        choices=[field.value for field in Field],
        default=Field.RECORDING.value,
        help="audio, or the features that the manifests point to "
        "(scripts/compute_features.py makes such manifests); default: recording",
    )
    parse.add_argument(
        "--shard-size",
        type=int,
        default=1000,
        metavar="N",
        help="utterances in a shard; default: 1000",
    )
    parse.add_argument(
        "--jobs",
        type=int,
        default=os.cpu_count() or 1,
        metavar="N",
        help="threads; default: one a CPU",
    )
    return parse
