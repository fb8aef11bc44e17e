"""Says how far a network in a file is from that of the model."""

from collections.abc import Callable, Sequence
from math import inf, isnan

import torch
from torch import Tensor

from asrkit.export.networks import Network
from asrkit.utils.errors import InputError

TOLERANCE = 1e-4
"""Largest difference of a value; relative to it where it is above 1."""


@torch.inference_mode()
def difference(
    network: Network, run: Callable[..., Sequence[Tensor]], *inputs: Tensor
) -> float:
    """Return the largest difference, relative to values above 1; inf: other shapes.

    What lies past an utterance's end is nobody's business. Whole numbers have to be
    equal.
    """
    wanted = network(*inputs)
    expected = wanted if isinstance(wanted, tuple) else (wanted,)
    found = run(*inputs)
    if [one.shape for one in found] != [one.shape for one in expected]:
        return inf
    if "T" in network.times.values():
        inside = torch.arange(expected[0].shape[1]) < expected[1][:, None]
        if not torch.equal(expected[1], found[1]):
            return inf
        return apart(expected[0][inside], found[0][inside])
    return max(apart(*pair) for pair in zip(expected, found, strict=True))


def apart(ours: Tensor, theirs: Tensor) -> float:
    """Return the largest difference of two tensors of one shape, as above."""
    if not ours.is_floating_point():
        return 0.0 if torch.equal(ours, theirs) else inf
    if not ours.numel():
        return 0.0
    largest = float(((ours - theirs).abs() / ours.abs().clamp(min=1.0)).max())
    # What is not a number is no proof.
    return inf if isnan(largest) else largest


def largest_difference(
    name: str, network: Network, run: Callable[..., Sequence[Tensor]]
) -> float:
    """Compare a file with its network; return the largest difference.

    Args:
        name: The file, for the message.
        network: On the CPU.
        run: The network in the file.

    Raises:
        InputError: It does not run with inputs of some size.
    """
    largest = 0.0
    for inputs in network.probes():
        try:
            largest = max(largest, difference(network, run, *inputs))
        except Exception as error:  # onnxruntime's errors have no common class
            raise InputError(
                f"{name} does not run with an input of shape {tuple(inputs[0].shape)}: "
                f"{error}; nothing is exported"
            ) from error
    return largest
