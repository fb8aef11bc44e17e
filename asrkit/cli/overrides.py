"""key=value on the command line of a command that starts from a checkpoint."""

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from asrkit.config import schema_name
from asrkit.decoding.search import SearchConfig
from asrkit.pipeline.components import COMPONENTS
from asrkit.pipeline.config import Config
from asrkit.utils.errors import InputError, unknown_key


def apply_overrides(config: Config, overrides: list[str]) -> Config:
    """Return the configuration with the overrides applied.

    A bare group chooses a component (decode=ctc_greedy), a dotted key sets a value.

    Raises:
        InputError: An override names no group or key, or its value does not fit.
    """
    for override in overrides:
        key, equals, value = override.partition("=")
        if not equals:
            raise InputError(f"{override!r} is not of the form key=value")
        group, _, rest = key.partition(".")
        known = [name for name in COMPONENTS if getattr(config, name, None) is not None]
        if group not in known:
            raise InputError(unknown_key(group, known))
        new = _set(getattr(config, group), rest, value) if rest else _choose(key, value)
        if isinstance(new, SearchConfig) and not rest:
            # What is counted is the run's, whichever search finds it.
            new.unit = config.decode.unit
        setattr(config, group, new)
    return config


def _choose(group: str, name: str) -> object:
    """Make the component `name` of a group with its defaults."""
    classes = {schema_name(c).removeprefix("base_"): c for c in COMPONENTS[group]}
    if name not in classes:
        raise InputError(f"{group}={name}: {unknown_key(name, list(classes))}")
    return classes[name]()


def _set(component: object, key: str, value: str) -> object:
    """Set one field of a component."""
    try:
        changed = OmegaConf.merge(
            OmegaConf.structured(component), OmegaConf.from_dotlist([f"{key}={value}"])
        )
        return OmegaConf.to_object(changed)
    except OmegaConfBaseException as error:
        fields = [str(name) for name in OmegaConf.structured(component)]
        if key.split(".")[0] not in fields:
            raise InputError(unknown_key(key, fields)) from error
        raise InputError(f"{key}={value}: {error}") from error
    except ValueError as error:  # the component's own check
        raise InputError(str(error)) from error
