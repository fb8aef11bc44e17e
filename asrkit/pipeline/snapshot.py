"""The configuration that a stage ran with, kept beside it and compared later."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from asrkit.pipeline.old_configs import update_saved
from asrkit.pipeline.saved_config import read_config
from asrkit.utils.errors import InputError
from asrkit.utils.files import atomic_write
from asrkit.utils.plain import to_plain

logger = logging.getLogger(__name__)

_SHAPES = (
    "tokenizer.",
    "features.",
    "encoder.",
    "predictor.",
    "joiner.",
    "lm.model.",
)
"""What weights depend on: a checkpoint of another value cannot be gone on from."""

_MEMORY = ".checkpoint_activations"
"""Changes what training takes, not what it does."""

_TIMING = "loss.weights.timing"
"""Changes when labels are found, not which: a stage that ended without stays done. One
that has not needs a head to go on with. No weight is 0."""

_FREE = (
    "trainer.",
    "decode.",
    "exp_dir",
    "data.num_workers",
    "data.prefetch",
    "data.test",
    "data.max_test_seconds",
    "data.read_timeout",
    "data.max_left_out",
)
"""What a finished stage does not depend on."""


def flatten(plain: Any, prefix: str = "") -> dict[str, Any]:
    """Turn nested dicts into one of dotted keys."""
    if not isinstance(plain, Mapping):
        return {prefix: plain}
    flat: dict[str, Any] = {}
    for key, value in plain.items():
        flat |= flatten(value, f"{prefix}.{key}" if prefix else str(key))
    return flat


def differences(old: Any, new: Any) -> dict[str, tuple[Any, Any]]:
    """Return dotted key -> (old, new) of what differs."""
    before, after = flatten(old), flatten(new)
    keys = [*before, *(key for key in after if key not in before)]
    pairs = {key: (before.get(key), after.get(key)) for key in keys}
    return {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}


def write_snapshot(plain: Any, path: Path) -> None:
    """Write a configuration as YAML."""
    with atomic_write(path, "w") as file:
        yaml.safe_dump(plain, file, sort_keys=False, allow_unicode=True)


def check_snapshot(plain: Any, path: Path, *, done: bool) -> None:
    """Compare a configuration with the one that a stage ran with.

    Args:
        plain: The configuration of now.
        path: The snapshot; nothing is compared when there is none.
        done: Whether the stage has ended, so that any difference matters.

    Raises:
        InputError: A finished stage had another configuration, or an unfinished one
            another model.
    """
    if not path.is_file():
        return
    old = update_saved(yaml.safe_load(path.read_text(encoding="utf-8")))
    before, now = _with_new_keys(old, plain), flatten(plain)
    if _TIMING in now:
        before.setdefault(_TIMING, 0.0)
    changed = differences(before, now)
    free, shapes = (*_FREE, _TIMING), (*_SHAPES, _TIMING)
    matters = {
        key: pair
        for key, pair in changed.items()
        if (not key.startswith(free) if done else key.startswith(shapes))
        and not key.endswith(_MEMORY)
    }
    if matters:
        key, (was, after) = next(iter(matters.items()))
        raise InputError(
            f"{path.parent} was trained with {key}={was}, now it is {after}"
            + (f" (and {len(matters) - 1} more keys)" if len(matters) > 1 else "")
            + "; choose another exp_dir, or set the key back"
        )
    for key, (was, after) in changed.items():
        if not done:
            logger.info("changed since the last start: %s %s -> %s", key, was, after)


def _with_new_keys(old: Any, plain: Any) -> dict[str, Any]:
    """Return what was saved, flat, with the defaults of keys that came later."""
    known = flatten(old)
    try:
        defaults = flatten(to_plain(read_config(old)))
    except InputError:  # it names what is no longer there: a difference of its own
        return known
    later = [key for key in flatten(plain) if key not in known and key in defaults]
    return known | {key: defaults[key] for key in later}
