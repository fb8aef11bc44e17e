"""Audio from a pipe: WAV or raw samples, 16 bits, one channel."""

import struct
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
import torch
from torch import Tensor

from asrkit.utils.errors import InputError

_FORMAT = struct.Struct("<HHIIHH")
_PCM, _EXTENSIBLE = 1, 0xFFFE
_UNKNOWN = 0x7FFFF000  # and above: lengths that writers into a pipe make up


def read_packets(
    file: BinaryIO, sampling_rate: int, num_samples: int
) -> Iterator[Tensor]:
    """Yield packets of `num_samples` samples in [-1, 1], the last one as it comes.

    Args:
        file: WAV, or without a header little-endian 16-bit samples of that rate.
        sampling_rate: Hz.
        num_samples: Of a packet.

    Raises:
        InputError: It is WAV of another kind, ends inside a sample or holds no audio.
    """
    first, heard = file.read(4), 0
    left = None  # bytes to come; None: all
    if first == b"RIFF":
        left = _read_header(file, sampling_rate)
        first = b""
    while True:
        size = 2 * num_samples - len(first)
        data = first + file.read(size if left is None else min(size, left))
        if left is not None:
            left -= len(data)
        if len(data) % 2:
            raise InputError(
                "standard input ends inside a sample: it has to be WAV or raw 16-bit "
                "samples"
            )
        if data:
            samples = np.frombuffer(data, dtype="<i2").astype(np.float32) / 32768
            yield torch.from_numpy(samples)
        heard += len(data)
        if not heard:  # what writes into the pipe has failed
            raise InputError("standard input holds no audio")
        if len(data) < 2 * num_samples:
            return
        first = b""


def _read_header(file: BinaryIO, sampling_rate: int) -> int | None:
    """Read WAV up to its samples, after RIFF; return their bytes, None: to the end."""
    file.read(8)  # a length that pipes do not know, and WAVE
    known = False
    while len(header := file.read(8)) == 8:
        name, size = struct.unpack("<4sI", header)
        if name == b"data" and known:
            return size if 0 < size < _UNKNOWN else None
        body = file.read(size + size % 2)
        if name == b"fmt " and len(body) >= _FORMAT.size:
            _check_format(body, sampling_rate)
            known = True
    raise InputError("standard input is a WAV file without a format or without samples")


def _check_format(body: bytes, sampling_rate: int) -> None:
    kind, channels, rate, _, _, bits = _FORMAT.unpack(body[: _FORMAT.size])
    found = (kind in (_PCM, _EXTENSIBLE), bits, channels, rate)
    if found != (True, 16, 1, sampling_rate):
        raise InputError(
            f"standard input is WAV of {channels} channels, {rate} Hz, {bits} bits; it "
            f"has to be 16-bit PCM of one channel at the model's {sampling_rate} Hz "
            f"(ffmpeg -i FILE -ac 1 -ar {sampling_rate} -f s16le - makes it)"
        )
