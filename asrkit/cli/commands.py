"""`asrkit COMMAND ...`: all commands by name; scripts/COMMAND.py is the same."""

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType
from typing import NoReturn

import asrkit
from asrkit.cli.main import run
from asrkit.cli.placeholders import PACKAGES, placeholders
from asrkit.utils.errors import InputError

COMMANDS = {
    "doctor": ("doctor", "show what works here, and how to mend what does not"),
    "prepare": ("data.prepare", "make manifests of recordings"),
    "shard": ("data.shard", "write sets of shards to train on"),
    "make_lexicon": ("data.make_lexicon", "find the phones of words"),
    "compute_features": ("data.compute_features", "compute and store features"),
    "tokenizer": ("data.tokenizer", "train a tokenizer"),
    "plan_memory": ("training.plan_memory", "compare the losses' memory"),
    "train": ("training.train", "train a recognizer"),
    "train_lm": ("training.train_lm", "train a neural language model"),
    "train_ngram": ("training.train_ngram", "train an n-gram language model"),
    "average": ("training.average", "average the weights of checkpoints"),
    "runs": ("training.runs", "list experiments and how they are"),
    "decode": ("decoding.decode", "decode sets and score them"),
    "tune_decode": ("decoding.tune_decode", "find the scales of a search on dev"),
    "transcribe": ("decoding.transcribe", "audio files to text"),
    "align": ("decoding.align", "find when the words of a text are spoken"),
    "export": ("decoding.export", "write a model as ONNX files, for sherpa-onnx"),
    "report": ("recipe.report", "show the results of a run, and where everything is"),
    "score": ("decoding.score", "score decoded text that is on disk"),
}
"""Name of a command -> its module below asrkit.cli, what it does."""


def main() -> NoReturn:
    """Run the command that the first argument names."""
    name = sys.argv[1].replace("-", "_") if len(sys.argv) > 1 else "help"
    if name in COMMANDS:
        sys.argv[:2] = [f"asrkit {name}"]
        run_command(name)
    if name in ("__version", "_V"):
        print(asrkit.__version__)
        sys.exit()
    ok = name in ("help", "__help", "_h")
    lines = [f"  {name:17} {does}" for name, (_, does) in COMMANDS.items()]
    text = "\n".join(["usage: asrkit COMMAND ...", "", *lines, "", _MORE])
    if not ok:
        text = f"error: no command {sys.argv[1]!r}\n{text}"
    print(text, file=sys.stdout if ok else sys.stderr)
    sys.exit(0 if ok else 2)


_MORE = (
    "asrkit COMMAND --help says more; in a checkout, scripts/COMMAND.py is the same."
)


def run_command(name: str) -> NoReturn:
    """Run a command with the rest of the command line; end with its exit status."""
    path = f"asrkit.cli.{COMMANDS[name][0]}"

    def command() -> int:
        return 0 if _is_answered(path) else int(import_module(path).main())

    run(command)


def _is_answered(path: str) -> bool:
    """Read the command line without torch: help and mistakes are answered at once.

    Raises:
        InputError: A key or a value is wrong.
    """
    # -m would start jobs from here, and torchrun's processes begin in step. Where
    # packages are loaded there is nothing to gain, and their other modules, loaded on
    # demand, would keep the names that stand in.
    starts_others = "RANK" in os.environ or {"-m", "--multirun"} & set(sys.argv)
    if starts_others or PACKAGES & set(sys.modules):
        return False
    try:
        with placeholders():
            return _parse(import_module(path), sys.argv[1:])
    except InputError:
        raise
    except Exception:  # A placeholder was not enough: it is said when torch is there.
        return False


def _parse(module: ModuleType, argv: Sequence[str]) -> bool:
    """Parse a command line, and tell whether it is answered."""
    if hasattr(module, "parser"):
        module.parser().parse_args(argv)
        return False
    compose = import_module("asrkit.cli.compose")
    return compose.compose_config() is None
