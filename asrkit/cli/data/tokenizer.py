"""`scripts/tokenizer.py key=value ...`: stage 3 of a recipe."""

from asrkit.cli.compose import run_with_config
from asrkit.cli.logs import start_logging
from asrkit.pipeline.config import Config
from asrkit.pipeline.stages.preparation import ensure_tokenizer, lang_dir
from asrkit.training.distributed import World, choose_device


def main() -> int:
    """Train the tokenizer that the configuration names; print its folder."""
    return run_with_config(make)


def make(config: Config) -> None:
    """Train the tokenizer, unless it is there, and print its folder."""
    start_logging(None, "tokenizer")
    ensure_tokenizer(config, World(0, 1, choose_device("cpu")))
    print(lang_dir(config))
