"""python -m asrkit.runtime FOLDER a.wav ...: prints FILE<tab>TEXT of each."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from asrkit.runtime.recognizer import Recognizer
from asrkit.runtime.wave_files import read_wave
from asrkit.utils.errors import InputError

BAD_INPUT = 2


def main(arguments: Sequence[str]) -> int:
    """Recognize files; return the exit status."""
    args = _parser().parse_args(arguments)
    try:
        recognizer = _load(args)
        for path in args.files:
            print(f"{path}\t{_transcribe(recognizer, path)}", flush=True)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return BAD_INPUT
    return 0


def _load(args: argparse.Namespace) -> Recognizer:
    if args.ctc:
        return Recognizer.load_ctc(args.folder, int8=args.int8, threads=args.threads)
    return Recognizer.load(
        args.folder, int8=args.int8, beam=args.beam, threads=args.threads
    )


def _transcribe(recognizer: Recognizer, path: Path) -> str:
    samples, rate = read_wave(path)
    try:
        return recognizer.transcribe(samples, rate).text
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m asrkit.runtime",
        description="Recognize recordings with exported files; torch is not needed.",
    )
    parser.add_argument("folder", type=Path, help="what scripts/export.py wrote")
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE")
    parser.add_argument("--int8", action="store_true", help="take files of 8 bits")
    parser.add_argument("--threads", type=int, default=1, metavar="N")
    search = parser.add_mutually_exclusive_group()
    search.add_argument(
        "--beam", type=int, default=1, metavar="K", help="texts kept; 1: greedy"
    )
    search.add_argument("--ctc", action="store_true", help="take ctc.onnx")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
