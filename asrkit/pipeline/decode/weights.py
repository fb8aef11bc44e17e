"""The weights of a model in a checkpoint."""

import torch

from asrkit.training.checkpoints.checkpoint import State

MODEL_PREFIX = "model."


def model_weights(state: State) -> dict[str, torch.Tensor]:
    """Return the averaged weights of the model in a checkpoint."""
    return {
        name.removeprefix(MODEL_PREFIX): tensor
        for name, tensor in state["average"].items()
        if name.startswith(MODEL_PREFIX)
    }
