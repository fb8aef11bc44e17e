"""Make manifests of a user's recordings."""

import argparse
from pathlib import Path

from asrkit.data.corpora.audio_store import RUN_COMMANDS
from asrkit.data.corpora.folder import Reading, Source, find_source, find_sources
from asrkit.data.corpora.formats.columns import parse_columns
from asrkit.data.corpora.formats.registry import FORMATS
from asrkit.data.corpora.manifests import write_part
from asrkit.utils.errors import InputError

AUDIO = "audio"
"""Folder beside the manifests for audio that has no file of its own."""


def main(argv: list[str] | None = None) -> int:
    """Write manifests and say what is in them."""
    parse = parser()
    args = parse.parse_args(argv)
    path = args.path or args.csv or args.jsonl or args.librispeech
    if args.librispeech and args.part:
        parse.error("--librispeech takes all parts; give the folder without it")
    name = args.format or ("table" if args.csv or args.jsonl else None)
    sources = _choose(path, name, args.part)
    reading = Reading(
        audio_dir=args.out_dir / AUDIO,
        run_commands=args.run_commands,
        columns=args.columns,
        jobs=args.jobs,
    )
    corpus = args.corpus or ("librispeech" if args.librispeech else None)
    for part, source in sources.items():
        print(f"{part}: reading {source}", flush=True)
        prepared = reading.prepare(source, part)
        name = corpus or _corpus_of(args.out_dir)
        print(write_part(part, *prepared, args.out_dir, name))
    return 0


def _choose(path: Path, format: str | None, part: str | None) -> dict[str, Source]:
    """Find what to read, by the names of the parts.

    Raises:
        InputError: There is nothing that can be read, or no name for it.
    """
    if not path.exists():
        raise InputError(f"cannot read {path}: no such file or folder")
    source = Source(FORMATS[format], path) if format else find_source(path)
    if source is not None:
        if part is None:
            raise InputError(
                "--part is missing: what to call these recordings, e.g. train"
            )
        return {part: source}
    if not path.is_dir():
        known = "; ".join(f"{name}: {one.what}" for name, one in FORMATS.items())
        raise InputError(
            f"{path} is in no format that is known; --format names one of {known}"
        )
    sources = find_sources(path)
    if part is not None and part not in sources:
        raise InputError(f"{path} has no part {part}; there are {', '.join(sources)}")
    return sources if part is None else {part: sources[part]}


def _corpus_of(folder: Path) -> str:
    """Name a corpus by its folder, data/calls or data/calls/manifests."""
    path = folder.resolve()
    return (path.parent if path.name == "manifests" else path).name


def columns(text: str) -> dict[str, str]:
    """Read --columns for argparse."""
    try:
        return parse_columns(text)
    except InputError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def add_reading(parse: argparse.ArgumentParser) -> None:
    """Add the options that say how lists are read."""
    parse.add_argument(
        "--columns",
        type=columns,
        default={},
        metavar="OURS=THEIRS,...",
        help="what a table calls its columns where that is not seen, "
        "e.g. audio=clip,text=words",
    )
    parse.add_argument(
        RUN_COMMANDS,
        action="store_true",
        help="run the commands that stand in wav.scp, each once, and keep the audio "
        "beside the manifests; look them over before",
    )
    parse.add_argument(
        "--jobs", type=int, metavar="N", help="threads; default: one a CPU"
    )


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        description="Read recordings once and write manifests to train on. What cannot "
        "be trained on is left out and listed. PATH is a list or a folder: "
        f"{'; '.join(one.what for one in FORMATS.values())}. Of a folder that holds "
        "train, dev and test, all are made.",
        epilog="A table has the columns audio,text and, where wanted, speaker, start "
        "and duration or end (seconds), channel (0, 1 or A, B), id, or what others "
        "call them (path, sentence, transcript...); audio is relative to the table. "
        "Examples: "
        "prepare.py calls/train.csv --part train --out-dir data/calls/manifests; "
        "prepare.py kaldi/data --out-dir data/kaldi/manifests",
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "path", type=Path, nargs="?", metavar="PATH", help="what to read"
    )
    source.add_argument("--csv", type=Path, metavar="FILE", help="PATH, a table")
    source.add_argument("--jsonl", type=Path, metavar="FILE", help="PATH, a table")
    source.add_argument(
        "--librispeech", type=Path, metavar="DIR", help="PATH, with all its parts"
    )
    parser.add_argument(
        "--format", choices=list(FORMATS), help="of PATH; default: as it looks"
    )
    parser.add_argument(
        "--part",
        metavar="NAME",
        help="what to call the recordings: train, dev...; of a folder of parts, which",
    )
    parser.add_argument(
        "--corpus",
        metavar="NAME",
        help="begins the manifests' names (default: the name of the folder)",
    )
    parser.add_argument(
        "--out-dir",
        type=Path,
        required=True,
        metavar="DIR",
        help="write manifests here",
    )
    add_reading(parser)
    return parser
