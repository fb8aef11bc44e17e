"""Configurations that earlier versions saved, as this version would have saved them."""

import copy
from typing import Any


def update_saved(plain: Any) -> Any:
    """Return a run's saved configuration with the keys of now.

    `loss.hat` has become `joiner.hat`: what the weights mean is one thing for all
    stages. What is no run's configuration stays as it is.
    """
    if not isinstance(plain, dict) or not {"joiner", "loss", "pipeline"} <= set(plain):
        return plain
    plain = copy.deepcopy(plain)
    stages = plain["pipeline"]["stages"].values()
    losses = [plain["loss"], *(stage.get("loss") for stage in stages)]
    hats = [loss.pop("hat", False) for loss in losses if loss]
    plain["joiner"].setdefault("hat", any(hats))
    return plain
