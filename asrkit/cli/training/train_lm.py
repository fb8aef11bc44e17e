"""`scripts/train_lm.py lm=lstm key=value ...`: trains a language model."""

import logging
from dataclasses import replace
from pathlib import Path

import yaml

from asrkit.cli.compose import run_with_config
from asrkit.cli.logs import start_logging
from asrkit.cli.training.train import until_interrupted
from asrkit.pipeline.config import Config
from asrkit.pipeline.experiment import lm_folder
from asrkit.pipeline.for_stage import for_stage
from asrkit.pipeline.runner import run_pipeline, shown
from asrkit.pipeline.stage import PipelineConfig
from asrkit.pipeline.stages.lm import LmConfig
from asrkit.training.distributed import join_world
from asrkit.utils.errors import InputError

logger = logging.getLogger(__name__)


def main() -> int:
    """Train what sys.argv composes; return the exit status."""
    return run_with_config(train)


def train(config: Config) -> None:
    """Train the language model of a configuration, a pipeline of one stage."""
    lm = chosen_lm(config)
    name = lm_folder(Path(config.exp_dir), lm.name).name
    config = replace(config, pipeline=PipelineConfig(stages={name: lm}, order=[name]))
    with join_world(config.trainer.device) as world:
        start_logging(Path(config.exp_dir) / "log", "train_lm", world.rank)
        if world.is_main:
            matters = lm.matters(shown(for_stage(config, name)))
            logger.info("%s", yaml.safe_dump(matters, sort_keys=False))
        with until_interrupted():
            run_pipeline(config, world)


def chosen_lm(config: Config) -> LmConfig:
    """Return the configuration of the language model.

    Raises:
        InputError: There is none.
    """
    if not isinstance(config.lm, LmConfig):
        raise InputError("which language model? Choose lm=lstm or lm=transformer")
    return config.lm
