"""What sherpa-onnx finds with exported files, where it is installed."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from asrkit.export import sherpa_process
from asrkit.runtime.transcript import Labels
from asrkit.text.byte_pieces import byte_of
from asrkit.utils.errors import InputError

_FRAME = 0.04
"""Seconds of an encoder frame; sherpa-onnx takes no other."""


@dataclass(frozen=True)
class SherpaCall:
    """One of sherpa-onnx's recognizers."""

    recognizer: str
    """OfflineRecognizer or OnlineRecognizer."""
    make: str
    """Its function that makes it, e.g. from_transducer."""
    files: dict[str, str]
    """That function's argument -> the file."""
    options: dict[str, Any] = field(default_factory=dict)
    """Other arguments."""


def is_installed() -> bool:
    """Say whether there is a sherpa-onnx to ask."""
    return find_spec("sherpa_onnx") is not None


def find(
    call: SherpaCall, audio: Sequence[Tensor], rate: int, tokens: Sequence[str]
) -> list[Labels]:
    """Recognize utterances.

    Args:
        call: The recognizer.
        audio: Samples of each in [-1, 1], (S,).
        rate: Samples a second.
        tokens: The piece of each label.

    Raises:
        InputError: sherpa-onnx refuses the files.
    """
    # The piece of a character comes after its byte, and is the one that models emit.
    ids = {as_printed(piece): index for index, piece in enumerate(tokens)}
    return [
        [
            (ids[as_printed(piece)], round(time / _FRAME))
            for piece, time in zip(*one, strict=True)
        ]
        for one in _ask(call, audio, rate)
    ]


def as_printed(piece: str) -> str:
    """Return a piece as sherpa-onnx gives it: with a space for the mark of a word.

    Bytes that are printed in ASCII are these characters.
    """
    byte = byte_of(piece)
    if byte is not None:
        return chr(byte) if " " <= chr(byte) <= "~" else piece
    return f" {piece[1:]}" if piece.startswith("▁") else piece


def _ask(call: SherpaCall, audio: Sequence[Tensor], rate: int) -> Any:
    """Have another process recognize."""
    with tempfile.TemporaryDirectory(prefix="asrkit.") as folder:
        waves = Path(folder) / "audio.npz"
        names = (f"{index:06}" for index in range(len(audio)))
        samples = (one.numpy() for one in audio)
        np.savez(waves, **dict(zip(names, samples, strict=True)))  # type: ignore[arg-type]
        request = {
            "recognizer": call.recognizer, "make": call.make,
            "options": {**call.files, **call.options},
            "audio": str(waves), "rate": rate,
        }  # fmt: skip
        done = subprocess.run(
            [sys.executable, str(sherpa_process.__file__)],
            input=json.dumps(request), capture_output=True, text=True, check=False,
        )  # fmt: skip
    if done.returncode:
        said = " ".join(done.stderr.split()[-60:])
        files = ", ".join(Path(one).name for one in call.files.values())
        raise InputError(
            f"sherpa-onnx does not run {files} (status {done.returncode}): {said}"
        )
    return json.loads(done.stdout)
