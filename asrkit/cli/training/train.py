"""`scripts/train.py key=value ...`: trains what the configuration says."""

import logging
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from asrkit.cli.compose import CONF_DIR, run_with_config
from asrkit.cli.logs import note_failure, start_logging
from asrkit.pipeline.config import Config
from asrkit.pipeline.experiment import is_done
from asrkit.pipeline.runner import run_pipeline, shown
from asrkit.pipeline.snapshot import differences
from asrkit.training.distributed import join_world

logger = logging.getLogger(__name__)


def main() -> int:
    """Train what sys.argv composes; return the exit status."""
    return run_with_config(train)


def train(config: Config) -> None:
    """Train with a configuration."""
    # What a language model would be like is scripts/train_lm.py's to show.
    plain = {key: value for key, value in shown(config).items() if key != "lm"}
    with join_world(config.trainer.device) as world:
        start_logging(Path(config.exp_dir) / "log", "train", world.rank)
        if world.is_main and not all(
            is_done(Path(config.exp_dir), name) for name in config.pipeline.order
        ):
            logger.info("%s", yaml.safe_dump(plain, sort_keys=False))
            show_changes(plain)
        with until_interrupted():
            run_pipeline(config, world)


@contextmanager
def until_interrupted() -> Iterator[None]:
    """Say how to go on when training is interrupted; log why it fails."""
    try:
        yield
    except KeyboardInterrupt:
        logger.info(
            "interrupted; everything is saved. To go on, run the same command "
            "again:\n  %s",
            f"{sys.argv[0]} {shlex.join(sys.argv[1:])}",
        )
        raise
    except Exception as error:
        note_failure(error)
        raise


def show_changes(plain: dict[str, Any]) -> None:
    """Print what differs from the defaults of conf/."""
    with initialize_config_dir(str(CONF_DIR), version_base="1.3"):
        defaults = shown(OmegaConf.to_object(compose("config")))
    changed = differences({key: defaults[key] for key in plain}, plain)
    # Stages share the length of the run; once is enough to read.
    taken = {key for key in changed if key.partition(".set.")[2] in changed}
    changed = {key: pair for key, pair in changed.items() if key not in taken}
    lines = [f"  {key} = {new}  (default {old})" for key, (old, new) in changed.items()]
    logger.info("differs from the defaults:\n%s", "\n".join(lines) or "  nothing")
