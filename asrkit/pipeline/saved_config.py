"""Reads the configurations that checkpoints and stages' folders hold."""

from typing import Any

from asrkit.utils.plain import CLASS, from_plain

_ONCE_REPEATED = (
    "loss",
    "optim",
    "schedule",
    "encoder",
    "augment",
    "num_epochs",
    "num_updates",
    "dropout",
    "max_duration",
    "max_seconds",
    "accumulate",
    "clip_norm",
)
"""What a stage that trains once had of its own, beside `set`."""


def read_config(plain: Any) -> Any:
    """Return the configuration, of a run or a part of it, that plain values hold.

    Raises:
        InputError: A class or key is not of this version, or a value does not fit.
    """
    from asrkit.pipeline.components import CLASSES  # its stages import this file

    return from_plain(renewed(plain), CLASSES)


def renewed(plain: Any) -> Any:
    """Return the plain values of a stage's view as this version would write them.

    What an older version's stages repeated is in its place in the view already, but for
    the dropout, which changed the model after it was built.
    """
    if "pipeline" not in plain:
        return plain
    plain, stages = dict(plain), {}
    for name, stage in plain["pipeline"]["stages"].items():
        if stage[CLASS] == "TrainStageConfig":
            if stage.get("dropout") is not None:
                for part in ("encoder", "predictor"):
                    plain[part] = {**plain[part], "dropout": stage["dropout"]}
            stage = {k: v for k, v in stage.items() if k not in _ONCE_REPEATED}
        stages[name] = stage
    return {**plain, "pipeline": {**plain["pipeline"], "stages": stages}}
