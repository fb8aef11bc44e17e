"""Config objects as plain values and back, or with some keys changed; types checked."""

import dataclasses
from collections.abc import Iterable, Mapping
from enum import Enum
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from asrkit.utils.errors import InputError, unknown_key

Component = TypeVar("Component")

CLASS = "class"
"""The key under which plain values hold a dataclass's name."""


def classes_of(roots: Iterable[type]) -> dict[str, type]:
    """Return dataclasses and those in their fields, by name."""
    found: dict[str, type] = {}
    waiting: list[Any] = list(roots)
    while waiting:
        cls = waiting.pop()
        if cls.__name__ not in found:
            found[cls.__name__] = cls
            hints = get_type_hints(cls).values()
            inner = [one for hint in hints for one in (hint, *get_args(hint))]
            waiting += [one for one in inner if dataclasses.is_dataclass(one)]
    return found


def to_plain(config: Any) -> Any:
    """Turn config objects into dicts, lists and plain values; classes by their name."""
    if dataclasses.is_dataclass(config) and not isinstance(config, type):
        values = {f: to_plain(getattr(config, f)) for f in field_names(config)}
        return {CLASS: type(config).__name__, **values}
    if isinstance(config, Mapping):
        return {key: to_plain(value) for key, value in config.items()}
    if isinstance(config, Enum):
        return config.name
    if isinstance(config, list):
        return [to_plain(value) for value in config]
    return config


def from_plain(plain: Any, classes: Mapping[str, type]) -> Any:
    """Undo `to_plain`.

    Args:
        plain: What it returned.
        classes: By name.

    Raises:
        InputError: A class or key is unknown, or a value does not fit.
    """
    if not isinstance(plain, Mapping):
        return plain
    values = {k: from_plain(v, classes) for k, v in plain.items() if k != CLASS}
    if CLASS not in plain:
        return values
    name = plain[CLASS]
    cls = classes.get(name)
    if cls is None:
        raise InputError(
            f"the configuration names {name!r}, which this version of asrkit does not "
            "have"
        )
    values = _fit_all(cls, values, f"configuration of {name}: ")
    try:
        return cls(**values)
    except (TypeError, ValueError) as error:  # a key is missing; the class's own check
        raise InputError(f"configuration of {name}: {error}") from error


def change(config: Component, delta: Mapping[str, Any], where: str) -> Component:
    """Return a config object with other values.

    Args:
        config: A dataclass.
        delta: By key: the new value, a mapping of what changes below the key, or
            another config object in the place of what is there.
        where: Dotted key of the delta, for messages.

    Raises:
        InputError: A key is unknown, or a value does not fit.
    """
    values = {}
    for key, value in delta.items():
        old = getattr(config, key, None)
        if isinstance(value, Mapping) and dataclasses.is_dataclass(old):
            value = change(old, value, f"{where}.{key}")
        elif isinstance(value, Mapping) and isinstance(old, Mapping):
            value = {**old, **value}
        values[key] = value
    new = _fit_all(type(config), values, f"{where}.")
    try:
        return dataclasses.replace(config, **new)  # type: ignore[type-var]
    except ValueError as error:  # the class's own check
        raise InputError(f"{where}: {error}") from error


def field_names(config: Any) -> list[str]:
    """Name the fields of a dataclass."""
    return [field.name for field in dataclasses.fields(config)]


def _fit_all(cls: Any, values: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Fit values to the fields of a dataclass."""
    hints, known = get_type_hints(cls), field_names(cls)
    for key in values:
        if key not in known:
            raise InputError(
                f"{where}{key} ({cls.__name__}): {unknown_key(key, known)}"
            )
    return {key: _fit(value, hints[key], where + key) for key, value in values.items()}


def _fit(value: Any, hint: Any, where: str) -> Any:
    """Return a value as a field's type has it: 1 as 1.0, a name as a member."""
    origin, inner = get_origin(hint), get_args(hint)
    if hint is Any or (value is None and NoneType in inner):
        return value
    if origin in (Union, UnionType):
        return _fit(value, next(one for one in inner if one is not NoneType), where)
    if origin is list and isinstance(value, list):
        return [_fit(one, inner[0], f"{where}[{i}]") for i, one in enumerate(value)]
    if origin is dict and isinstance(value, Mapping):
        return {
            key: _fit(one, inner[1], f"{where}.{key}") for key, one in value.items()
        }
    kind = origin or hint
    if kind is float and type(value) is int:
        return float(value)
    if issubclass(kind, Enum) and isinstance(value, str) and value in kind.__members__:
        return kind[value]
    if isinstance(value, kind) and (kind is bool or not isinstance(value, bool)):
        return value
    raise InputError(f"{where}={to_plain(value)}: {_wanted(kind)} is wanted there")


def _wanted(kind: type) -> str:
    """Name a type as a user would."""
    if issubclass(kind, Enum):
        return f"one of {', '.join(kind.__members__)}"
    if dataclasses.is_dataclass(kind):
        return f"a component ({kind.__name__}), chosen by its group as GROUP@KEY=NAME,"
    names = {
        str: "text",
        int: "a whole number",
        float: "a number",
        bool: "true or false",
    }
    return names.get(kind, kind.__name__)
