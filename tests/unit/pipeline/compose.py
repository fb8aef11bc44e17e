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
        return OmegaConf.to_object(compose("config", list(overrides)))
