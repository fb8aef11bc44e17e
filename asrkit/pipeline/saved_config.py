"""Reads the configurations that checkpoints and stages' folders hold."""

from typing import Any

from asrkit.pipeline.old_configs import update_saved
from asrkit.utils.plain import from_plain


def read_config(plain: Any) -> Any:
    """Return the configuration, of a run or a part of it, that plain values hold.

    They may be of an earlier version.

    Raises:
        InputError: A class or key is not of this version, or a value does not fit.
    """
    from asrkit.pipeline.components import CLASSES  # its stages import this file

    return from_plain(update_saved(plain), CLASSES)
