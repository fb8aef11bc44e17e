"""`scripts/train.py key=value ...`: trains what the configuration says."""

import dataclasses
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

from asrkit.cli.hydra_errors import explain, explain_value
from asrkit.cli.logs import MaskedStream, note_failure, start_logging
from asrkit.config import from_plain, register, to_plain
from asrkit.pipeline.config import Config
from asrkit.pipeline.runner import run_pipeline
from asrkit.pipeline.snapshot import differences
from asrkit.pipeline.stages.results import is_done
from asrkit.pipeline.stages.stage_run import Plain
from asrkit.training.distributed import join_world
from asrkit.utils.errors import InputError
from asrkit.utils.mask import masked

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
            raise InputError(explain(error) or explain_value(error, cfg)) from error
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
            "a key=value goes below a component that is null, as is what a stage takes "
            "from the run; choose the component first, e.g. "
            "+schedule@pipeline.stages.viterbi.schedule=constant"
        ) from error
    return 0


def train(config: Config) -> None:
    """Train with a configuration."""
    config = dataclasses.replace(config, lm=None)  # that is for scripts/train_lm.py
    plain = shown(config)
    with join_world(config.trainer.device) as world:
        start_logging(Path(config.exp_dir) / "log", "train", world.rank)
        if world.is_main and not all(
            is_done(Path(config.exp_dir), name) for name in config.pipeline.order
        ):
            logger.info("%s", yaml.safe_dump(plain, sort_keys=False))
            show_changes(plain)
        with until_interrupted():
            run_pipeline(config, Plain(shown, from_plain), world)


def shown(config: Any) -> Any:
    """Turn a configuration into plain values for logs and files, without secrets."""
    return masked(to_plain(config))


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
    changed = differences({**defaults, "lm": plain["lm"]}, plain)
    # Stages share the length of the run; once is enough to read.
    taken = {key for key in changed if ".".join(key.split(".")[3:]) in changed}
    changed = {key: pair for key, pair in changed.items() if key not in taken}
    lines = [f"  {key} = {new}  (default {old})" for key, (old, new) in changed.items()]
    logger.info("differs from the defaults:\n%s", "\n".join(lines) or "  nothing")
