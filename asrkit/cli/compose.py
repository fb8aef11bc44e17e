"""The configuration of a command whose command line is key=value."""

import os
import sys
from collections.abc import Callable
from contextlib import redirect_stderr
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

import asrkit
from asrkit.cli.hydra_errors import explain, explain_null, explain_value
from asrkit.cli.logs import MaskedStream
from asrkit.config import register
from asrkit.pipeline.config import Config
from asrkit.utils.errors import InputError

_PACKAGE = Path(asrkit.__file__).resolve().parent
CONF_DIR = next(
    path for path in (_PACKAGE / "conf", _PACKAGE.parent / "conf") if path.is_dir()
)
"""In the package, where a wheel has it; or beside it, in a checkout."""

_HELP = """\
usage: {command} key=value ...

A key is a path into the configuration below (optim.lr=1e-3) or a group (loss=ctc). A
recipe adds experiments: --config-dir recipes/librispeech/conf experiment=demo

--cfg job        print the configuration and stop
--info defaults  print which files make it, and stop
-m               multirun: optim.lr=1e-3,2e-3 runs twice (docs/reliability.md: on SLURM)

groups:
{groups}

configuration:"""


def run_with_config(command: Callable[[Config], None]) -> int:
    """Compose the configuration from sys.argv and call `command` with it.

    Raises:
        InputError: A key, a value or a component is wrong.
    """
    config = compose_config(command)
    if config is not None:
        command(config)
    return 0


def compose_config(command: Callable[[Config], None] | None = None) -> Config | None:
    """Compose the configuration from sys.argv.

    Args:
        command: What -m calls with each of its configurations.

    Returns:
        The configuration; None if Hydra has shown something, or called `command`.

    Raises:
        InputError: A key, a value or a component is wrong.
    """
    composed: list[DictConfig] = []

    def take(cfg: DictConfig) -> None:
        if command is not None and HydraConfig.get().mode is RunMode.MULTIRUN:
            command(_to_object(cfg))
        else:  # Of what fails in here, Hydra prints all overrides: let it fail outside.
            composed.append(cfg)

    register()
    _show_help()
    # Hydra hands its errors on instead of printing them: ours say more.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    entry = hydra.main(
        version_base="1.3", config_path=str(CONF_DIR), config_name="config"
    )(take)
    try:
        with redirect_stderr(MaskedStream(sys.stderr)):
            entry()
        return _to_object(composed[0]) if composed else None
    except (HydraException, OmegaConfBaseException) as error:
        raise InputError(explain(error) or str(error)) from error
    except (AssertionError, AttributeError) as error:
        if (message := explain_null(error)) is None:
            raise
        raise InputError(message) from error


def _to_object(cfg: DictConfig) -> Config:
    try:
        config = OmegaConf.to_object(cfg)
    except ValueError as error:  # a config class's own check
        raise InputError(explain(error) or explain_value(error, cfg)) from error
    assert isinstance(config, Config)
    return config


def _show_help() -> None:
    """Turn --help into our own, which ends with what Hydra shows for --cfg job.

    Hydra's reads all of conf/ anew for each group, which takes seconds.
    """
    flags = {"--help", "-h"} & set(sys.argv[1:])
    if not flags:
        return
    groups = sorted(path for path in CONF_DIR.iterdir() if path.is_dir())
    lines = [
        f"  {group.name}: {', '.join(sorted(path.stem for path in files))}"
        for group in groups
        if (files := list(group.glob("*.yaml")))
    ]
    print(_HELP.format(command=sys.argv[0], groups="\n".join(lines)))
    rest = [word for word in sys.argv[1:] if word not in flags]
    sys.argv[1:] = [*rest, "--cfg", "job"]
