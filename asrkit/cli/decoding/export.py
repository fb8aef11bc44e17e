"""`scripts/export.py --exp-dir exp/x`: a recognizer to ONNX, for sherpa-onnx."""

import argparse
from pathlib import Path

import torch

from asrkit.cli.logs import start_logging
from asrkit.data.corpora.manifests import load_cuts
from asrkit.pipeline.decode.decode_set import open_batches
from asrkit.pipeline.decode.recognizer import load_recognizer
from asrkit.pipeline.experiment import find_checkpoint
from asrkit.pipeline.export import export, search_greedily
from asrkit.training.distributed import World
from asrkit.utils.errors import InputError


def main(argv: list[str] | None = None) -> int:
    """Export; return the exit status."""
    args = parser().parse_args(argv)
    start_logging(args.exp_dir / "log" if args.exp_dir.is_dir() else None, "export")
    recognizer = load_recognizer(
        args.checkpoint or find_checkpoint(args.exp_dir),
        torch.device("cpu"),
        change=search_greedily,
    )
    data = recognizer.config.data
    name = args.set or data.dev[0]
    if args.utterances < 1:
        raise InputError(f"--utterances must be at least 1, got {args.utterances}")
    cuts = load_cuts(args.manifests or Path(data.manifests), name)
    some = cuts.subset(first=args.utterances)
    world = World(rank=0, size=1, device=torch.device("cpu"))
    batches = list(open_batches(recognizer, some, world))
    if not batches:
        raise InputError(
            f"no utterance of the set {name!r} can be read, and without any nothing "
            "is proven; give another --set"
        )
    export(recognizer, batches, args.out or args.exp_dir / "export", int8=args.int8)
    return 0


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parse = argparse.ArgumentParser(
        description="Writes a trained model as ONNX files that sherpa-onnx runs "
        "(transducer: encoder, decoder, joiner; ctc; tokens.txt) and proves them equal "
        "to the model, on utterances of a set, too. What fails is not left behind."
    )
    add = parse.add_argument
    add("--exp-dir", type=Path, required=True, help="folder of the run")
    add("--out", type=Path, help="folder of the files (default: EXP_DIR/export)")
    add(
        "--int8",
        action="store_true",
        help="write files of 8 bits, too, and say what they change",
    )
    add("--set", help="set to prove it on (default: the first of the run's data.dev)")
    add(
        "--utterances",
        type=int,
        default=20,
        metavar="N",
        help="take the first N of it (default: 20)",
    )
    add("--checkpoint", type=Path, help="another one than the run's average or best")
    add("--manifests", type=Path, help="folder of manifests (default: the run's)")
    return parse
