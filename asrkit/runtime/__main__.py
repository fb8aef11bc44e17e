"""python -m asrkit.runtime FOLDER a.wav ...: prints FILE<tab>TEXT of each."""

import argparse
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from asrkit.runtime.recognizer import Recognizer
from asrkit.runtime.samples import check_samples
from asrkit.runtime.streaming import StreamingRecognizer
from asrkit.runtime.transcript import Transcript
from asrkit.runtime.wave_files import read_wave
from asrkit.utils.errors import InputError

BAD_INPUT = 2


def main(arguments: Sequence[str]) -> int:
    """Recognize files; the status is 2 when one could not be."""
    parser = _parser()
    args = parser.parse_args(arguments)
    if args.ctc and args.beam > 1:
        parser.error("--beam: there is no beam search for CTC here")
    if args.threads < 0:
        parser.error("--threads: at least 0, which takes all cores")
    try:
        transcribe = _load(args)
    except InputError as error:
        return _complain(error)
    status = 0
    for path in args.files:
        try:
            print(f"{path}\t{_text(transcribe, path)}", flush=True)
        except InputError as error:
            status = _complain(error)
    return status


def _complain(error: InputError) -> int:
    print(f"error: {error}", file=sys.stderr)
    return BAD_INPUT


def _load(args: argparse.Namespace) -> Callable[[np.ndarray, int], Transcript]:
    common = {"int8": args.int8, "threads": args.threads}
    if args.ctc:
        return Recognizer.load_ctc(args.folder, **common).transcribe
    if not args.stream:
        return Recognizer.load(args.folder, beam=args.beam, **common).transcribe
    streaming = StreamingRecognizer.load(
        args.folder, args.stream, beam=args.beam, **common
    )
    return partial(_stream, streaming)


def _stream(
    recognizer: StreamingRecognizer, samples: np.ndarray, rate: int
) -> Transcript:
    stream = recognizer.stream()
    stream.accept(check_samples(samples, rate, recognizer.facts.sample_rate), rate)
    return stream.finish()


def _text(transcribe: Callable[[np.ndarray, int], Transcript], path: Path) -> str:
    samples, rate = read_wave(path)
    try:
        return transcribe(samples, rate).text
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
    parser.add_argument(
        "--beam", type=int, default=1, metavar="K", help="texts kept; 1: greedy"
    )
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--ctc", action="store_true", help="take ctc.onnx, greedily")
    kind.add_argument(
        "--stream", metavar="ENCODER", help="hear them as streams, with this encoder"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
