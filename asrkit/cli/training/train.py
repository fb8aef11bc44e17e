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

from asrkit.cli.compose import CONF_DIR, compose_config, run_with_config
from asrkit.cli.logs import note_failure, start_logging
from asrkit.pipeline.choose_pipeline import AUTO, decide_pipeline
from asrkit.pipeline.config import Config
from asrkit.pipeline.experiment import is_done
from asrkit.pipeline.runner import run_pipeline, shown
from asrkit.pipeline.snapshot import differences
from asrkit.training.distributed import World, join_world
from asrkit.utils.errors import InputError

logger = logging.getLogger(__name__)


def main() -> int:
    """Train what sys.argv composes; return the exit status."""
    return run_with_config(train)


def train(config: Config) -> None:
    """Train with a configuration."""
    with join_world(config.trainer.device) as world:
        if f"pipeline={AUTO}" in sys.argv:
            config = with_fitting_pipeline(config, world)
        start_logging(Path(config.exp_dir) / "log", "train", world.rank)
        # What a language model would be like is scripts/train_lm.py's to show.
        plain = {key: value for key, value in shown(config).items() if key != "lm"}
        if world.is_main and not all(
            is_done(Path(config.exp_dir), name) for name in config.pipeline.order
        ):
            logger.info("%s", yaml.safe_dump(plain, sort_keys=False))
            show_changes(plain)
        with until_interrupted():
            run_pipeline(config, world)


def with_fitting_pipeline(config: Config, world: World) -> Config:
    """Decide what pipeline=auto is, and compose the configuration anew.

    Raises:
        InputError: Several configurations are asked for.
    """
    if {"-m", "--multirun"} & set(sys.argv):
        raise InputError(
            f"pipeline={AUTO} does not go with -m: each run may fit another; name one"
        )
    # To the console: composing anew takes away where the log goes.
    start_logging(None, "train", world.rank)
    chosen = {f"pipeline={AUTO}": f"pipeline={decide_pipeline(config, world)}"}
    sys.argv[1:] = [chosen.get(word, word) for word in sys.argv[1:]]
    composed = compose_config()
    assert composed is not None  # it was composed before
    return composed


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
