"""Proves that networks in ONNX files are those of the model."""

from collections.abc import Callable, Iterator, Sequence
from math import inf, isnan, log

import torch
from torch import Tensor

from asrkit.export.networks import (
    CtcNetwork,
    DecoderNetwork,
    EncoderNetwork,
    Network,
)
from asrkit.models.asr_model import AsrModel
from asrkit.utils.errors import InputError

TOLERANCE = 1e-4
"""Largest difference of a value; relative to it where it is above 1."""
LENGTHS = ([333], [97, 60, 5], [9], [1501, 1200])
"""Feature frames of each utterance of a batch; none is of the traced example."""

PADDING = log(1e-10)
"""What sherpa-onnx fills the shorter ones of a batch with."""


def probes(model: AsrModel, network: type[Network]) -> Iterator[tuple[Tensor, ...]]:
    """Return batches of inputs of several sizes and lengths."""
    generator = torch.Generator().manual_seed(0)

    def noise(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator)

    if network in (EncoderNetwork, CtcNetwork):
        mean, std = model.feature_mean, 1.0 / model.feature_scale
        for lengths in LENGTHS:
            lens = torch.tensor(lengths)
            feats = mean + std * noise(len(lens), max(lengths), len(mean))
            padding = torch.arange(max(lengths)) >= lens[:, None]
            yield feats.masked_fill(padding[..., None], PADDING), lens
    elif network is DecoderNetwork:
        size, last = model.predictor.context_size, model.vocab_size - 1
        contexts = torch.randint(1, last + 1, (4, size), generator=generator)
        for rows in (contexts, contexts.new_tensor([[-1] * (size - 1) + [0]])):
            yield (rows,)
        yield (contexts.new_tensor([[-1] * (size - 1) + [last], [0] * size]),)
    else:
        for count in (1, 4):
            yield (
                noise(count, model.joiner.output.in_features),
                noise(count, model.joiner.output.in_features),
            )


@torch.inference_mode()
def difference(
    network: Network, run: Callable[..., Sequence[Tensor]], *inputs: Tensor
) -> float:
    """Return the largest difference, relative to values above 1; inf: other shapes.

    What lies past an utterance's end is nobody's business.
    """
    wanted = network(*inputs)
    expected = wanted if isinstance(wanted, tuple) else (wanted,)
    found = run(*inputs)
    shapes = [one.shape for one in expected]
    if [one.shape for one in found] != shapes:
        return inf
    ours, theirs = expected[0], found[0]
    if len(expected) == 2:
        if not torch.equal(expected[1], found[1]):
            return inf
        inside = torch.arange(ours.shape[1]) < expected[1][:, None]
        ours, theirs = ours[inside], theirs[inside]
    apart = float(((ours - theirs).abs() / ours.abs().clamp(min=1.0)).max())
    # What is not a number is no proof.
    return inf if isnan(apart) else apart


def prove_network(
    name: str, model: AsrModel, network: Network, run: Callable[..., Sequence[Tensor]]
) -> float:
    """Compare a file with its network; return the largest difference.

    Args:
        name: The file, for the message.
        model: In evaluation mode, on the CPU.
        network: Of the model.
        run: The network in the file.

    Raises:
        InputError: They are not equal.
    """
    largest = 0.0
    for inputs in probes(model, type(network)):
        shape = tuple(inputs[0].shape)
        try:
            apart = difference(network, run, *inputs)
        except Exception as error:  # onnxruntime's errors have no common class
            raise InputError(
                f"{name} does not run with an input of shape {shape}: {error}; nothing "
                "is exported"
            ) from error
        if apart > TOLERANCE:
            raise InputError(
                f"{name} is not equal to the model: for an input of shape {shape} they "
                f"differ by {apart:.2g}, {TOLERANCE:g} is allowed; nothing is exported"
            )
        largest = max(largest, apart)
    return largest
