"""`scripts/train_lm.py lm=lstm key=value ...`: trains a language model."""

import logging
from pathlib import Path

import yaml

from asrkit.cli.compose import run_with_config
from asrkit.cli.logs import start_logging
from asrkit.cli.training.train import until_interrupted
from asrkit.pipeline.config import Config
from asrkit.pipeline.lm_runner import relevant, run_lm
from asrkit.pipeline.runner import shown
from asrkit.training.distributed import join_world

logger = logging.getLogger(__name__)


def main() -> int:
    """Train what sys.argv composes; return the exit status."""
    return run_with_config(train)


def train(config: Config) -> None:
    """Train the language model of a configuration."""
    plain = shown(config)
    with join_world(config.trainer.device) as world:
        start_logging(Path(config.exp_dir) / "log", "train_lm", world.rank)
        if world.is_main:
            logger.info("%s", yaml.safe_dump(relevant(plain), sort_keys=False))
        with until_interrupted():
            run_lm(config, plain, world)
