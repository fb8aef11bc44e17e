"""The state of a process's random numbers."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor


def rng_state(device: torch.device) -> dict[str, Tensor]:
    """Return the state of the CPU's random numbers and of the device's."""
    state = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    return state


def set_rng_state(state: Mapping[str, Tensor], device: torch.device) -> None:
    """Set what `rng_state` returned."""
    torch.set_rng_state(state["cpu"])
    if "cuda" in state and device.type == "cuda":
        torch.cuda.set_rng_state(state["cuda"], device)


def continue_rng(
    states: Sequence[Mapping[str, Tensor]], rank: int, size: int, device: torch.device
) -> None:
    """Go on with the random numbers of processes that have been saved.

    Args:
        states: Of each process that there was.
        rank: This process.
        size: Processes that there are; if another number, all draw anew.
        device: Of this process.
    """
    if len(states) == size:
        set_rng_state(states[rank], device)
        return
    torch.set_rng_state(states[0]["cpu"])
    torch.manual_seed(int(torch.randint(2**62, ())) + rank)
