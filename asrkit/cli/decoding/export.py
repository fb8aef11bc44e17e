"""`scripts/export.py --exp-dir exp/x`: a recognizer to ONNX, for sherpa-onnx."""

import argparse
from dataclasses import replace
from pathlib import Path

import torch

from asrkit.cli.decoding.stream_options import CHUNK, chunked, overrides
from asrkit.cli.logs import start_logging
from asrkit.cli.overrides import apply_overrides
from asrkit.data.corpora.manifests import load_cuts
from asrkit.export.gate import POINTS
from asrkit.models.chunks import Chunking
from asrkit.pipeline.decode.chunks import choose_chunks
from asrkit.pipeline.decode.decode_set import open_batches
from asrkit.pipeline.decode.recognizer import Recognizer, load_recognizer
from asrkit.pipeline.experiment import find_checkpoint
from asrkit.pipeline.export.export import Utterances, check, export, search_greedily
from asrkit.training.distributed import World
from asrkit.utils.errors import InputError


def main(argv: list[str] | None = None) -> int:
    """Export; return the exit status."""
    args = parser().parse_args(argv)
    check_options(args)
    start_logging(args.exp_dir / "log" if args.exp_dir.is_dir() else None, "export")
    recognizer = load_recognizer(
        args.checkpoint or find_checkpoint(args.exp_dir),
        torch.device("cpu"),
        change=search_greedily,
    )
    out = args.out or args.exp_dir / "export"
    if args.check:
        check(recognizer, read_utterances(recognizer, args), out)
        return 0
    export(
        recognizer,
        read_utterances(recognizer, args),
        out,
        int8=args.int8,
        streaming=choose_chunking(recognizer, args) if args.streaming else None,
        allow_difference=args.allow_difference,
    )
    return 0


def choose_chunking(recognizer: Recognizer, args: argparse.Namespace) -> Chunking:
    """Return what the encoder for streams is to see.

    Raises:
        InputError: The model has not met it in training.
    """
    changed = chunked(apply_overrides(replace(recognizer.config), overrides(args)))
    frame = recognizer.frame_seconds
    chunks = choose_chunks(changed.decode, recognizer.config.encoder, frame)
    assert chunks is not None
    return Chunking(*chunks)


def check_options(args: argparse.Namespace) -> None:
    """Refuse options that do not go together."""
    if args.utterances < 1:
        raise InputError(f"--utterances must be at least 1, got {args.utterances}")
    if not args.streaming and (args.chunk is not None or args.left is not None):
        raise InputError("--chunk and --left are of streams: give --streaming")
    if args.check and (args.streaming or args.int8 or args.allow_difference):
        raise InputError(
            "--check takes the export as it is: leave --streaming, --int8 and "
            "--allow-difference out"
        )


def read_utterances(recognizer: Recognizer, args: argparse.Namespace) -> Utterances:
    """Read what the export is proven on.

    Raises:
        InputError: There is none.
    """
    data = recognizer.config.data
    name = args.set or data.dev[0]
    cuts = load_cuts(args.manifests or Path(data.manifests), name)
    some = cuts.subset(first=args.utterances)
    world = World(rank=0, size=1, device=torch.device("cpu"))
    batches = list(open_batches(recognizer, some, world))
    if not batches:
        raise InputError(
            f"no utterance of the set {name!r} can be read, and without any nothing "
            "is proven; give another --set"
        )
    return Utterances(name, batches)


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parse = argparse.ArgumentParser(
        description="Writes a trained model as ONNX files that sherpa-onnx runs "
        "(transducer: encoder, decoder, joiner; ctc; tokens.txt) and proves them equal "
        "to the model, on utterances of a set, too. What fails is not left behind. "
        "Files and proof are listed in parity.json."
    )
    add = parse.add_argument
    add("--exp-dir", type=Path, required=True, help="folder of the run")
    add("--out", type=Path, help="folder of the files (default: EXP_DIR/export)")
    add(
        "--int8",
        action="store_true",
        help="write files of 8 bits, too, that cost at most "
        f"{POINTS:g} points of the error rate",
    )
    add(
        "--streaming",
        action="store_true",
        help="write an encoder for streams, too (sherpa-onnx's OnlineRecognizer)",
    )
    add(
        "--chunk",
        type=float,
        metavar="SECONDS",
        help="audio that it encodes at once, one of encoder.chunks.sizes "
        f"(default: {CHUNK:g})",
    )
    add(
        "--left",
        type=int,
        metavar="CHUNKS",
        help="chunks before its own that a frame sees, one of encoder.chunks.left "
        "(default: the largest)",
    )
    add(
        "--allow-difference",
        action="store_true",
        help="write files that are not equal to the model, too; parity.json says so",
    )
    add(
        "--check",
        action="store_true",
        help="prove an export again, with the packages that are here; write nothing",
    )
    add("--set", help="set to prove it on (default: the first of the run's data.dev)")
    add(
        "--utterances",
        type=int,
        default=200,
        metavar="N",
        help="take the first N of it (default: 200)",
    )
    add("--checkpoint", type=Path, help="another one than the run's average or best")
    add("--manifests", type=Path, help="folder of manifests (default: the run's)")
    return parse
