"""Options of `scripts/transcribe.py --stream`."""

import argparse
from dataclasses import replace
from pathlib import Path

from asrkit.decoding.end_points import EndPoints
from asrkit.pipeline.config import Config
from asrkit.utils.errors import InputError

CHUNK = 0.64
"""Seconds of audio that are encoded at once."""
STANDARD_INPUT = Path("-")
_END_POINTS = {
    "after_speech": "trailing_silence",
    "without_speech": "silence_without_word",
    "longest": "longest_utterance",
}
"""Fields of `EndPoints` and the options that set them."""


def add_options(parse: argparse.ArgumentParser) -> None:
    """Add the options of streams."""
    group = parse.add_argument_group("streams")
    add = group.add_argument
    add(
        "--stream",
        action="store_true",
        help="as if live, for models trained with encoder.chunks: what is said so far "
        "on a terminal, and a line FILE<tab>START<tab>END<tab>TEXT for each utterance",
    )
    add(
        "--microphone",
        action="store_const",
        const=True,
        help="listen to the system's microphone until Ctrl-C, instead of files",
    )
    add(
        "--chunk",
        type=float,
        metavar="SECONDS",
        help=f"audio that is encoded at once, decode.chunk (default: {CHUNK})",
    )
    add(
        "--left",
        type=int,
        metavar="N",
        help="chunks before it that are seen, decode.left (default: the most that the "
        "model was trained with)",
    )
    for field, text in (
        ("after_speech", "silence after a word that ends an utterance"),
        ("without_speech", "silence that ends an utterance without a word"),
        ("longest", "length at which an utterance ends, silence or not"),
    ):
        add(
            f"--{_END_POINTS[field].replace('_', '-')}",
            type=float,
            metavar="SECONDS",
            help=f"{text}, inf: none (default: {getattr(EndPoints, field)})",
        )


def check_options(args: argparse.Namespace) -> None:
    """Refuse options that do not go together."""
    if not args.stream:
        _check_whole(args)
    elif args.align:
        raise InputError("--align needs whole recordings: leave it, or --stream, out")
    elif args.channel is not None and (args.microphone or STANDARD_INPUT in args.files):
        raise InputError(
            "--channel is for files; standard input has one channel, a microphone, too"
        )
    elif args.files.count(STANDARD_INPUT) > 1:
        raise InputError("standard input (-) can be read once only")
    if args.microphone and args.files:
        raise InputError("--microphone goes without files: transcribe them apart")
    if not args.microphone and not args.files:
        raise InputError(
            "nothing to transcribe: give files, or --stream and - or --microphone"
        )
    read_end_points(args)


def _check_whole(args: argparse.Namespace) -> None:
    """Refuse options of streams."""
    if STANDARD_INPUT in args.files:
        raise InputError("standard input (-) is a stream: give --stream")
    names = ["microphone", "chunk", "left", *_END_POINTS.values()]
    values = [(name, getattr(args, name)) for name in names]
    given = [name for name, value in values if value is not None]
    if given:
        options = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise InputError(f"{options}: of streams; give --stream")


def read_end_points(args: argparse.Namespace) -> EndPoints:
    """Return when utterances are over, as the options say."""
    given = {
        field: value
        for field, option in _END_POINTS.items()
        if (value := getattr(args, option)) is not None
    }
    for field, value in given.items():
        if not value > 0:
            option = _END_POINTS[field].replace("_", "-")
            raise InputError(f"--{option} must be above 0 seconds, got {value:g}")
    return EndPoints(**given)


def overrides(args: argparse.Namespace) -> list[str]:
    """Return what the options say as changes to the run's configuration."""
    short = {"decode.chunk": args.chunk, "decode.left": args.left}
    return [f"{key}={value}" for key, value in short.items() if value is not None]


def chunked(config: Config) -> Config:
    """Return a configuration that decodes in chunks."""
    if config.decode.chunk is None:
        config.decode = replace(config.decode, chunk=CHUNK)
    return config
