"""Writes networks as ONNX files, smaller ones of 8 bits, and opens them."""

import logging
import warnings
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from asrkit.export.networks import Network
from asrkit.utils.errors import InputError

OPSET = 18
"""Of ONNX's operators; onnxruntime's CPU kernels lack parts of attention as of 23."""
_TIME = {"x": "T", "encoder_out": "T4", "log_probs": "T4"}


def check_packages() -> None:
    """Look for the extra's packages.

    Raises:
        InputError: One is missing.
    """
    for name in ("onnx", "onnxruntime"):
        if find_spec(name) is None:
            raise InputError(f"{name} is not installed; pip install 'asrkit[onnx]'")


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

    names = dict(zip(network.inputs, inputs, strict=True))
    axes = {name: {0: "N"} for name in (*network.inputs, *network.outputs)}
    for name, label in _TIME.items():
        # The joiner takes one frame of what the encoder gives.
        if name in axes and "x" in names:
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


def quantize(source: Path, path: Path) -> None:
    """Write a copy whose matrix products are of 8 bits.

    Weights are scaled by output channel; activations as they come, at run time.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)  # It advises to prepare the graph, on the root logger.
    try:
        # Convolutions would not be smaller, and two to three times slower.
        quantize_dynamic(
            source,
            path,
            op_types_to_quantize=["MatMul"],
            per_channel=True,
            weight_type=QuantType.QInt8,
        )
    finally:
        root.setLevel(level)


class OnnxNetwork:
    """A network in a file, run by onnxruntime on the CPU.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.log_severity_level = 4  # What fails is raised, too.
        self.session: Any = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
        self.names = [one.name for one in self.session.get_inputs()]

    def __call__(self, *inputs: Tensor) -> list[Tensor]:
        """Run it; inputs and outputs come in the order of the file."""
        arrays = (one.detach().numpy() for one in inputs)
        outputs = self.session.run(None, dict(zip(self.names, arrays, strict=True)))
        return [torch.from_numpy(one) for one in outputs]
