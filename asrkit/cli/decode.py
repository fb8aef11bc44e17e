"""`scripts/decode.py --exp-dir exp/x --sets test`: decode test sets and score them."""

import argparse
import logging
from pathlib import Path

from asrkit.cli.logs import start_logging
from asrkit.cli.overrides import apply_overrides
from asrkit.config import from_plain
from asrkit.data.manifests import load_cuts
from asrkit.pipeline.decode import decode_set
from asrkit.pipeline.experiment import find_checkpoint
from asrkit.pipeline.recognizer import load_recognizer
from asrkit.training.distributed import choose_device

logger = logging.getLogger(__name__)


def main(argv: list[str] | None = None) -> int:
    """Decode; return the exit status."""
    args = parser().parse_args(argv)
    start_logging(args.exp_dir / "log" if args.exp_dir.is_dir() else None, "decode")
    path = args.checkpoint or find_checkpoint(args.exp_dir)
    recognizer = load_recognizer(
        path,
        choose_device(args.device),
        read_config=from_plain,
        change=lambda config: apply_overrides(config, args.overrides),
    )
    logger.info("decoding with %s on %s", path, recognizer.device)
    data = recognizer.config.data
    folder = args.manifests or Path(data.manifests)
    for name in args.sets or data.test:
        cuts = load_cuts(folder, name)
        if data.max_utterances is not None:
            cuts = cuts.subset(first=data.max_utterances)
        decode_set(recognizer, cuts, name, args.exp_dir)
    return 0


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    text = (
        "Decodes test sets with a trained model and scores them. The checkpoint says "
        "all about model, tokenizer and features; key=value changes the search or the "
        "data, e.g. decode=ctc_greedy or decode.max_duration=300."
    )
    parse = argparse.ArgumentParser(description=text)
    add = parse.add_argument
    add("--exp-dir", type=Path, required=True, help="folder of the run")
    add("--sets", nargs="+", help="sets to decode (default: data.test of the run)")
    add("--checkpoint", type=Path, help="another one than the run's average or best")
    add("--manifests", type=Path, help="folder of manifests (default: the run's)")
    add("--device", default="auto", help="auto, cpu or cuda (default: auto)")
    add("overrides", nargs="*", metavar="key=value", help="changes to the run's config")
    return parse
