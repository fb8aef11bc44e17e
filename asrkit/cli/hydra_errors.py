"""Hydra's and OmegaConf's errors in one message, with the nearest right key."""

import re

from hydra.core.config_store import ConfigStore
from hydra.errors import HydraException, MissingConfigException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from asrkit.pipeline.components import CLASSES
from asrkit.pipeline.config import Config
from asrkit.pipeline.for_stage import SHARED
from asrkit.pipeline.stage import StageConfig
from asrkit.utils.errors import unknown_key
from asrkit.utils.plain import field_names

_BAD_KEY = re.compile(
    r"Key '(?P<key>[^']*)' (?:is not in struct|not in '(?P<cls>\w+)')"
)
_FULL_KEY = re.compile(r"full_key: (?P<full>\S+)")
_OBJECT = re.compile(r"object_type=(?P<cls>\w+)")
_OVER_NULL = re.compile(r"full_key: (?P<key>\S+)\n.*\n\s*object_type=NoneType")
_GROUP = re.compile(r"Could not override '(?P<group>[\w/@.]+)'")


def explain(error: BaseException) -> str | None:
    """Return a message for a mistake in the configuration, None for another error."""
    chain = _chain(error)
    ours = [e for e in chain if isinstance(e, HydraException | OmegaConfBaseException)]
    if not ours:
        return None
    text = "\n".join(str(e) for e in ours)
    bad_key = _BAD_KEY.search(text)
    if bad_key:
        return _explain_key(bad_key["key"], text)
    for link in ours:
        if isinstance(link, MissingConfigException) and link.options:
            name = str(link.missing_cfg_file).split("/")[-1]
            group = "/".join(str(link.missing_cfg_file).split("/")[:-1])
            options = [o for o in link.options if not o.startswith("base_")]
            return f"{group}={name}: {unknown_key(name, options)}"
    unmatched = _GROUP.search(text)
    if unmatched and "No match in the defaults list" in text:
        return unknown_key(unmatched["group"], _root_keys())
    # An error of a config class's own check is the first cause.
    cause = next((e for e in chain if isinstance(e, ValueError)), ours[0])
    lines = [line.strip() for line in str(cause).split("\n")]
    full = _FULL_KEY.search(text)
    return f"{full['full']}: {lines[0]}" if full else lines[0]


def explain_null(error: AssertionError | AttributeError) -> str | None:
    """Return a message for what the command line sets in a null, or None.

    Hydra and OmegaConf meet it with Python's own errors instead of theirs.
    """
    if "Unexpected type for root" in str(error):
        return (
            "a key=value goes below a component that is null, as is what a stage takes "
            "from the run; choose the component first, e.g. "
            "+schedule@pipeline.stages.viterbi.schedule=constant"
        )
    over_null = _OVER_NULL.search(str(error))
    if over_null is None:
        return None
    return (
        f"{over_null['key']} is null, which {{...}} on the command line cannot fill; "
        "write it into DIR/experiment/NAME.yaml and add --config-dir DIR "
        "experiment=NAME"
    )


def explain_value(error: ValueError, config: DictConfig) -> str:
    """Return what a config class's own check says, and where it stands in a stage."""
    message, path = str(error), ""
    while (name := _failing(config)) is not None:
        path, config = f"{path}.{name}".lstrip("."), config[name]
    key = message.split(" ", maxsplit=1)[0].rpartition(".")[2]
    # What a stage takes from the run is named as the run calls it.
    known = message.startswith(path) or OmegaConf.is_interpolation(config, key)
    return message if known else f"{path}: {message}"


def _failing(config: DictConfig) -> str | None:
    """Name the part of a configuration that cannot be made an object."""
    for name in config:
        if OmegaConf.is_missing(config, name) or not OmegaConf.is_dict(config[name]):
            continue
        try:
            OmegaConf.to_object(config[name])
        except ValueError:
            return str(name)
    return None


def _explain_key(key: str, text: str) -> str:
    """Name the key, its config class and the keys that the class has."""
    if key == "experiment":
        return "experiments belong to a recipe: add --config-dir recipes/NAME/conf"
    full = _FULL_KEY.search(text)
    cls = _OBJECT.search(text)
    name = cls["cls"] if cls else "Config"
    if name == "dict":
        path = full["full"] if full else key
        return f"{path}: there is no such key; with a + it is added: +{path}=..."
    return f"{full['full'] if full else key} ({name}): " + unknown_key(
        key, _keys_of(name)
    )


def _keys_of(class_name: str) -> list[str]:
    """Return the fields of a config class, of a stage also what it may set."""
    cls = CLASSES.get(class_name)
    if cls is None:
        return _root_keys()
    if not issubclass(cls, StageConfig):
        return field_names(cls)
    own = [f"set.{key}" for key in field_names(Config) if key not in SHARED]
    return field_names(cls) + own


def _root_keys() -> list[str]:
    """Return the groups and the values at the root."""
    groups = [name for name in ConfigStore.instance().repo if "." not in name]
    return sorted({*_keys_of("Config"), *groups} - {"hydra", "_dummy_empty_config_"})


def _chain(error: BaseException | None) -> list[BaseException]:
    """Return an error and what it came from."""
    links: list[BaseException] = []
    while error is not None and error not in links:
        links.append(error)
        error = error.__cause__ or error.__context__
    return links
