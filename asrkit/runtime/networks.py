"""Networks in ONNX files, run by onnxruntime on the CPU."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from asrkit.utils.errors import InputError

_BUSY = "session.intra_op.allow_spinning"


class Network:
    """A network in a file.

    Args:
        path: The file.
        threads: Of its own for one call; 0: as many as there are cores.

    Raises:
        InputError: onnxruntime is missing, or there is no network in the file.
    """

    def __init__(self, path: Path, threads: int) -> None:
        if not path.is_file():
            raise InputError(
                f"{path}: no such file; scripts/export.py writes it, to EXP_DIR/export "
                "if not told otherwise, and with --int8 those of 8 bits"
            )
        self.path = path
        self.session = _open(path, threads)
        self.inputs = self.session.get_inputs()
        self.metadata: dict[str, str] = self.session.get_modelmeta().custom_metadata_map

    def __call__(self, *arrays: np.ndarray) -> list[np.ndarray]:
        """Run it; inputs and outputs come in the order of the file."""
        names = (one.name for one in self.inputs)
        return self.session.run(None, dict(zip(names, arrays, strict=True)))

    def number(self, key: str) -> int:
        """Return a number of the metadata.

        Raises:
            InputError: It is not there.
        """
        if key not in self.metadata:
            raise InputError(
                f"{self.path} does not say its {key}: it is no file of this export; "
                "scripts/export.py writes a whole folder"
            )
        return int(self.metadata[key])


def _open(path: Path, threads: int) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise InputError(
            "onnxruntime is not installed; pip install onnxruntime"
        ) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4  # What fails is raised, too.
    # Threads that spin while they wait take the core from other processes.
    options.add_session_config_entry(_BUSY, "0")
    try:
        return onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # onnxruntime's errors have no common class
        raise InputError(
            f"onnxruntime {onnxruntime.__version__} cannot open {path}: "
            f"{str(error).splitlines()[0]}; export it again, or take an onnxruntime "
            "that reads its operators"
        ) from error


@dataclass(frozen=True)
class Facts:
    """What all files of an export say alike."""

    vocab_size: int
    """Tokens with blank, V."""
    context_size: int
    """Labels that the decoder sees, C."""
    subsampling_factor: int
    """Feature frames to an encoder frame."""
    sample_rate: int
    """Hz."""
    feature_dim: int
    """Mel bins, F."""


def read_facts(networks: list[Network], tokens: int) -> Facts:
    """Read the facts of an export.

    Args:
        networks: Its files.
        tokens: How many it has.

    Raises:
        InputError: A file does not say them, or they do not belong together.
    """
    first, *others = networks
    names = list(Facts.__dataclass_fields__)
    facts = {name: first.number(name) for name in names}
    for network in others:
        for name in names:
            if network.number(name) != facts[name]:
                raise InputError(
                    f"{network.path} and {first.path.name} are of different exports: "
                    f"{name} is {network.number(name)} and {facts[name]}"
                )
    if tokens != facts["vocab_size"]:
        raise InputError(
            f"{first.path} knows {facts['vocab_size']} tokens, but the tokens.txt "
            f"beside it has {tokens}: they are of different exports"
        )
    return Facts(**facts)
