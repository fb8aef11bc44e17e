"""What a checkpoint holds of a model and its optimizer; all processes take part."""

import torch
from torch import nn

from asrkit.training.checkpoints.average import RunningAverage
from asrkit.training.checkpoints.checkpoint import State
from asrkit.training.sharding import load_whole, load_whole_optimizer, whole_state


def weights_state(
    task: nn.Module, average: RunningAverage, optimizer: torch.optim.Optimizer
) -> State:
    """Return the weights, their running average and the optimizer's state, whole."""
    return {
        "task": whole_state(task.state_dict()),
        "average": average.state_dict(),
        "average_updates": average.updates,
        "optimizer": whole_state(optimizer.state_dict()),
    }


def load_weights(
    state: State,
    task: nn.Module,
    average: RunningAverage,
    optimizer: torch.optim.Optimizer,
) -> None:
    """Set what `weights_state` returned."""
    load_whole(task, state["task"])
    average.load_state_dict(state["average"])
    average.updates = state["average_updates"]
    load_whole_optimizer(optimizer, state["optimizer"])
