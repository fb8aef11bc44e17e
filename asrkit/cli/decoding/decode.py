"""`scripts/decode.py --exp-dir exp/x --sets test`: decode test sets and score them."""

import argparse
import logging
from pathlib import Path

from asrkit.cli.logs import start_logging
from asrkit.cli.overrides import apply_overrides
from asrkit.data.corpora.manifests import load_cuts
from asrkit.decoding.scoring.html_report import write_html_report
from asrkit.pipeline.decode.decode_set import decode_set
from asrkit.pipeline.decode.recognizer import load_recognizer
from asrkit.pipeline.experiment import find_checkpoint
from asrkit.training.distributed import join_world

logger = logging.getLogger(__name__)

CONF_DIR = Path(__file__).resolve().parents[3] / "conf"

_SHORT = {
    "method": "decode",
    "beam": "decode.beam",
    "nbest": "decode.nbest",
    "lm": "decode.fusion.lm",
    "max_duration": "decode.max_duration",
}
"""Options of the command line that are short for overrides."""


def main(argv: list[str] | None = None) -> int:
    """Decode; return the exit status."""
    args = parser().parse_args(argv)
    with join_world(args.device) as world:
        log_dir = args.exp_dir / "log" if args.exp_dir.is_dir() else None
        start_logging(log_dir, "decode", world.rank)
        path = args.checkpoint or find_checkpoint(args.exp_dir)
        recognizer = load_recognizer(
            path,
            world.device,
            change=lambda config: apply_overrides(config, overrides(args)),
        )
        logger.info("decoding with %s on %d x %s", path, world.size, world.device.type)
        data = recognizer.config.data
        folder = args.manifests or Path(data.manifests)
        decoded = []
        for name in _sets(args) or data.test:
            cuts = load_cuts(folder, name)
            if data.max_utterances is not None:
                cuts = cuts.subset(first=data.max_utterances)
            decoded.append(decode_set(recognizer, cuts, name, args.exp_dir, world))
        sets = [one for one in decoded if one is not None]
        if sets:
            page = args.exp_dir / "decode" / sets[0].method / "report.html"
            write_html_report(page, sets, note=f"{path}")
            logger.info("every utterance, in a browser: %s", page)
    return 0


def overrides(args: argparse.Namespace) -> list[str]:
    """Return all overrides; the choice of a method comes before its settings."""
    short = [
        f"{key}={value}"
        for name, key in _SHORT.items()
        if (value := getattr(args, name)) is not None
    ]
    behind_sets = [word for word in args.sets or [] if "=" in word]
    return [*short, *behind_sets, *args.overrides]


def _sets(args: argparse.Namespace) -> list[str]:
    """Return the sets; argparse takes overrides that follow them for sets, too."""
    return [word for word in args.sets or [] if "=" not in word]


def methods() -> list[str]:
    """Name the searches: what conf/decode has."""
    return sorted(path.stem for path in (CONF_DIR / "decode").glob("*.yaml"))


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    text = (
        "Decodes test sets with a trained model and scores them. The checkpoint says "
        "all about model, tokenizer and features; key=value changes the search or the "
        "data, e.g. decode.fusion.lm_scale=0.2. Under torchrun the processes share "
        "each set."
    )
    parse = argparse.ArgumentParser(description=text)
    add = parse.add_argument
    add("--exp-dir", type=Path, required=True, help="folder of the run")
    add("--sets", nargs="+", help="sets to decode (default: data.test of the run)")
    add(
        "--method",
        help=f"{', '.join(methods())} (default: that of the run)",
    )
    add("--beam", type=int, help="hypotheses that a beam search keeps")
    add("--nbest", type=int, help="hypotheses to write for each utterance")
    add("--lm", help="language model to fuse: *.arpa[.gz], or a checkpoint or folder")
    add("--max-duration", type=float, help="seconds of audio in a batch")
    add("--checkpoint", type=Path, help="another one than the run's average or best")
    add("--manifests", type=Path, help="folder of manifests (default: the run's)")
    add("--device", default="auto", help="auto, cpu or cuda (default: auto)")
    add("overrides", nargs="*", metavar="key=value", help="changes to the run's config")
    return parse
