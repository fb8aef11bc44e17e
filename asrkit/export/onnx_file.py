"""Writes networks as ONNX files, smaller ones of 8 bits, and opens them."""

import logging
import re
import sys
import warnings
from collections.abc import Collection, Mapping
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor

from asrkit.export.networks import Network
from asrkit.runtime.networks import Network as FileNetwork
from asrkit.utils.errors import InputError

_BLOCK = re.compile(r"blocks\.\d+")
OPSET = 18
"""Of ONNX's operators; onnxruntime's CPU kernels lack parts of attention as of 23."""


def check_packages() -> None:
    """Look for the extra's packages.

    Raises:
        InputError: One is missing.
    """
    for name in ("onnx", "onnxruntime"):
        if find_spec(name) is None:
            raise InputError(
                f"{name} is not installed; {sys.executable} -m pip install onnx "
                "onnxruntime"
            )


def write_onnx(
    path: Path,
    network: Network,
    inputs: tuple[Tensor, ...],
    metadata: Mapping[str, object],
) -> None:
    """Write a network with dynamic batch and time.

    Args:
        path: The file to write.
        network: In evaluation mode, on the CPU.
        inputs: An example; batch and lengths of several kinds are better than 1.
        metadata: What the file says of itself.
    """
    import onnx

    axes = {name: {0: "N"} for name in (*network.inputs, *network.outputs)}
    for name, label in network.times.items():
        axes[name][1] = label
    with warnings.catch_warnings(), torch.inference_mode():
        # Tracing is called legacy; it takes seconds where its successor takes minutes,
        # and what it writes is proven equal each time.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            inputs,
            str(path),
            input_names=list(network.inputs),
            output_names=list(network.outputs),
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
        )
    model = onnx.load(str(path))
    onnx.helper.set_model_props(model, {key: str(one) for key, one in metadata.items()})
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def quantize(source: Path, path: Path, *, keep: Collection[str] = ()) -> None:
    """Write a copy whose matrix products are of 8 bits.

    Weights are scaled by output channel; activations as they come, at run time.

    Args:
        source: The file.
        path: The copy.
        keep: Blocks that stay in float, as `products` names them.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)  # It advises to prepare the graph, on the root logger.
    kept = [node for block in keep for node in products(source)[block]]
    try:
        # Convolutions would not be smaller, and two to three times slower.
        quantize_dynamic(
            source,
            path,
            op_types_to_quantize=["MatMul"],
            per_channel=True,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=kept,
        )
    finally:
        root.setLevel(level)


def products(path: Path) -> dict[str, list[str]]:
    """Return the matrix products of a file, by block: the names of their nodes.

    A block's parameters have its name, and nodes come in the order of the work. What
    comes before the first block has the file's name; the last block has what follows.
    """
    import onnx

    block = path.stem
    found: dict[str, list[str]] = {}
    for node in onnx.load(str(path), load_external_data=False).graph.node:
        for name in node.input:
            if match := _BLOCK.search(name):
                block = match[0]
        if node.op_type == "MatMul":
            found.setdefault(block, []).append(node.name)
    return found


class OnnxNetwork:
    """A network in a file, as asrkit.runtime runs it, for tensors.

    Args:
        path: The file.

    Raises:
        InputError: onnxruntime cannot read it: another kind, another opset, damaged.
    """

    def __init__(self, path: Path) -> None:
        self.network = FileNetwork(path, torch.get_num_threads())

    def __call__(self, *inputs: Tensor) -> list[Tensor]:
        """Run it; inputs and outputs come in the order of the file."""
        outputs = self.network(*(one.detach().numpy() for one in inputs))
        return [torch.from_numpy(one) for one in outputs]
