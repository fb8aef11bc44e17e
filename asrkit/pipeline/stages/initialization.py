"""Weights that a stage takes over from an earlier one or from another run."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor

from asrkit.models.asr_model import AsrModel
from asrkit.pipeline.decode.weights import model_weights
from asrkit.pipeline.stage import is_path
from asrkit.training.checkpoints.checkpoint import load_checkpoint
from asrkit.utils.errors import InputError

logger = logging.getLogger(__name__)


@dataclass(kw_only=True)
class InitConfig:
    """Where the weights come from; nothing given means a random start."""

    stage: str | None = None
    """An earlier stage of the same pipeline."""
    path: str | None = None
    """A checkpoint of another run."""
    modules: list[str] = field(default_factory=lambda: ["encoder"])
    """Parts of the model to take: encoder, predictor, joiner, ctc_head."""

    def __post_init__(self) -> None:
        """Refuse two origins."""
        if self.stage and self.path:
            raise ValueError("init: give stage or path, not both")


def initialize(model: AsrModel, init: InitConfig, exp_dir: Path) -> bool:
    """Load the modules that `init` names; strict inside each of them.

    The timing head comes along where it fits: it is of features and labels alone.

    Returns:
        Whether there was anything to load.

    Raises:
        InputError: The checkpoint lacks a module or its shapes differ.
    """
    if init.stage is None and init.path is None:
        return False
    path = Path(init.path) if init.path else best_of(exp_dir, str(init.stage))
    weights = model_weights(load_checkpoint(path))
    model.feature_mean.copy_(weights["feature_mean"])
    model.feature_scale.copy_(weights["feature_scale"])
    parts = dict(model.named_children())
    taken = [*init.modules, *_timing_head(model, weights)]
    for name in taken:
        if name not in parts:
            raise InputError(
                f"init.modules names {name!r}; the model has {', '.join(parts)}"
            )
        own = _below(weights, f"{name}.")
        try:
            parts[name].load_state_dict(own)
        except RuntimeError as error:
            raise InputError(f"{name} of {path} does not fit: {error}") from error
        logger.info("%s: %d tensors from %s", name, len(own), path)
    rest = [name for name in parts if name not in taken]
    logger.info("random start: %s", ", ".join(rest) or "nothing")
    return True


def _below(weights: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the weights whose names have a prefix, without it."""
    return {
        key.removeprefix(prefix): tensor
        for key, tensor in weights.items()
        if key.startswith(prefix)
    }


def _timing_head(model: AsrModel, weights: Mapping[str, Tensor]) -> list[str]:
    """Return its name if the weights have one of the same shapes."""
    own = {k: v.shape for k, v in _below(weights, "timing_head.").items()}
    expected = {k: v.shape for k, v in model.timing_head.state_dict().items()}
    return ["timing_head"] if own == expected else []


def best_of(exp_dir: Path, stage: str) -> Path:
    """Return a stage's best checkpoint, or that of which the path is given."""
    if is_path(stage):
        return Path(stage)
    return exp_dir / stage / "checkpoints" / "best.pt"
