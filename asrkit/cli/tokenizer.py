"""`scripts/tokenizer.py key=value ...`: stage 3 of a recipe."""

import logging
from pathlib import Path

from asrkit.cli.logs import start_logging
from asrkit.cli.train import run_with_config
from asrkit.pipeline.config import Config
from asrkit.pipeline.preparation import ensure_tokenizer, lang_dir
from asrkit.training.distributed import World, choose_device

logger = logging.getLogger(__name__)


def main() -> int:
    """Train the tokenizer that the configuration names, unless it is there."""
    return run_with_config(make)


def make(config: Config) -> None:
    """Train the tokenizer, unless it is there."""
    start_logging(None, "tokenizer")
    world = World(0, 1, choose_device("cpu"))
    tokenizer = ensure_tokenizer(config, world)
    folder: Path = lang_dir(config)
    logger.info("tokenizer of %d tokens: %s", tokenizer.vocab_size, folder)
