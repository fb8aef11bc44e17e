"""Configurations that earlier versions saved, as this version would have saved them."""

import copy
from typing import Any

from asrkit.utils.plain import CLASS

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


def update_saved(plain: Any) -> Any:
    """Return a run's saved configuration with the keys of now.

    `loss.hat` has become `joiner.hat`: what the weights mean is one thing for all
    stages; and `only_if.wer` `only_if.error_rate`. What a stage repeated of the run's
    keys is in its place there already, but for the dropout, which changed the model
    after it was built. What is no run's configuration stays as it is.
    """
    if not isinstance(plain, dict) or "pipeline" not in plain:
        return plain
    plain = copy.deepcopy(plain)
    stages = plain["pipeline"]["stages"]
    if "joiner" in plain:
        losses = [plain["loss"], *(stage.get("loss") for stage in stages.values())]
        hats = [loss.pop("hat", False) for loss in losses if loss]
        plain["joiner"].setdefault("hat", any(hats))
    for name, stage in stages.items():
        if "wer" in stage.get("only_if", {}):
            stage["only_if"]["error_rate"] = stage["only_if"].pop("wer")
        if stage[CLASS] == "TrainStageConfig":
            if stage.get("dropout") is not None:
                for part in ("encoder", "predictor"):
                    plain[part]["dropout"] = stage["dropout"]
            stages[name] = {k: v for k, v in stage.items() if k not in _ONCE_REPEATED}
    return plain
