"""Configurations for tests, composed from conf/."""

import functools

from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from asrkit.cli.compose import CONF_DIR
from asrkit.config import register


@functools.cache
def make(*overrides):
    """Return the configuration that the overrides give; it is shared by tests."""
    register()
    with initialize_config_dir(str(CONF_DIR), version_base=None):
        # A command decides by the data what auto is.
        overrides = ["features.sampling_rate=16000", *overrides]
        return OmegaConf.to_object(compose("config", overrides))
