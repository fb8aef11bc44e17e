"""`scripts/train.py key=value ...`: trains what the configuration says."""

import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import Any

import yaml
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from asrkit.cli.hydra_errors import explain
from asrkit.cli.logs import MaskedStream, note_failure, start_logging
from asrkit.config import register
from asrkit.pipeline.config import Config
from asrkit.pipeline.runner import run_pipeline, shown
from asrkit.pipeline.snapshot import differences
from asrkit.pipeline.stages.results import is_done
from asrkit.training.distributed import join_world
from asrkit.utils.errors import InputError

CONF_DIR = Path(__file__).resolve().parents[3] / "conf"

logger = logging.getLogger(__name__)


def main() -> int:
    """Train what sys.argv composes; return the exit status."""
    return run_with_config(train)


def run_with_config(command: Callable[[Config], None]) -> int:
    """Compose the configuration from sys.argv and call `command` with it.

    Raises:
        InputError: A key, a value or a component is wrong.
    """
    import hydra

    def call(cfg: DictConfig) -> None:
        try:
            config = OmegaConf.to_object(cfg)
        except ValueError as error:  # a config class's own check
            raise InputError(explain(error) or str(error)) from error
        assert isinstance(config, Config)
        command(config)

    register()
    # Hydra hands its errors on instead of printing them: ours say more.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    entry = hydra.main(
        version_base="1.3", config_path=str(CONF_DIR), config_name="config"
    )(call)
    try:
        # Of a command that fails, Hydra prints all overrides.
        with redirect_stderr(MaskedStream(sys.stderr)):
            entry()
    except (HydraException, OmegaConfBaseException) as error:
        raise InputError(explain(error) or str(error)) from error
    except AssertionError as error:
        if "Unexpected type for root" not in str(error):
            raise
        raise InputError(
            "a key=value goes below a component that is null; choose the component "
            "first, e.g. +lm=lstm"
        ) from error
    return 0


def train(config: Config) -> None:
    """Train with a configuration."""
    plain = shown(config)
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
            " ".join(sys.argv),
        )
        raise
    except Exception as error:
        note_failure(error)
        raise


def show_changes(plain: dict[str, Any]) -> None:
    """Print what differs from the defaults of conf/."""
    from hydra import compose

    defaults = shown(OmegaConf.to_object(compose(config_name="config")))
    changed = differences(defaults, plain)
    # Stages share the length of the run; once is enough to read.
    taken = {key for key in changed if key.partition(".set.")[2] in changed}
    changed = {key: pair for key, pair in changed.items() if key not in taken}
    lines = [f"  {key} = {new}  (default {old})" for key, (old, new) in changed.items()]
    logger.info("differs from the defaults:\n%s", "\n".join(lines) or "  nothing")
