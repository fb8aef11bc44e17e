"""The files of an export: names, what they say of themselves, how they get there."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from asrkit.data.features.fbank import Fbank
from asrkit.export.parity_file import PARITY_FILE
from asrkit.models.asr_model import AsrModel
from asrkit.text.tokenizer import TOKENS_FILE
from asrkit.utils.errors import InputError

_OURS = (
    PARITY_FILE, TOKENS_FILE, "bpe.vocab",
    "encoder*.onnx", "decoder.onnx", "joiner*.onnx", "ctc*.onnx",
)  # fmt: skip
"""Files of an export; the first says that all are there."""
SUBSAMPLING = 4
"""sherpa-onnx takes an encoder frame for 40 ms, whatever the file says."""
FREQUENCIES = (20.0, -400.0)
"""Lowest and highest frequency of sherpa-onnx's features; no setting changes them."""


def onnx_name(name: str, *, int8: bool = False) -> str:
    """Return the name of a network's file."""
    return f"{name}.int8.onnx" if int8 else f"{name}.onnx"


def check_contract(model: AsrModel, features: Fbank) -> None:
    """Check that sherpa-onnx would compute what the model has learnt on.

    Raises:
        InputError: It would not.
    """
    if model.encoder.subsampling != SUBSAMPLING:
        raise InputError(
            f"this encoder makes one frame of {model.encoder.subsampling}; sherpa-onnx "
            f"takes all models for {SUBSAMPLING} and would report wrong times: train "
            "what is to be exported with encoder.subsampling=4"
        )
    if model.joiner.durations:
        raise InputError(
            f"this run's joiner has durations ({[*model.joiner.durations]}); what runs "
            "exported files moves on frame by frame: train with joiner.durations=[] "
            "what is to be exported"
        )
    if (features.low_freq, features.high_freq) != FREQUENCIES:
        raise InputError(
            f"this model was trained with features.low_freq={features.low_freq:g} and "
            f"features.high_freq={features.high_freq:g}; sherpa-onnx computes features "
            "from 20 Hz to half the rate less 400 Hz only: train with the defaults"
        )


def metadata(model: AsrModel, features: Fbank) -> dict[str, object]:
    """Return what every file says of itself: sherpa-onnx reads the first three."""
    return {
        "model_type": "conformer",
        "vocab_size": model.vocab_size,
        "context_size": model.predictor.context_size,
        "subsampling_factor": model.encoder.subsampling,
        "sample_rate": features.sampling_rate,
        "feature_dim": features.num_bins,
    }


@contextmanager
def proven_folder(out: Path) -> Iterator[Path]:
    """Give a temporary folder; its files get to `out` if nothing is raised.

    An earlier export's files there are removed first: they would not fit the new ones.

    Raises:
        InputError: The folder cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out, prefix=".export.") as temporary:
            yield Path(temporary)
            for earlier in [one for kind in _OURS for one in out.glob(kind)]:
                earlier.unlink()
            files = Path(temporary).iterdir()
            for path in sorted(files, key=lambda path: path.name == PARITY_FILE):
                os.replace(path, out / path.name)
    except OSError as error:
        raise InputError(
            f"cannot write {out}: {error.strerror or error}; "
            "free some disk space or choose another folder with --out"
        ) from error
