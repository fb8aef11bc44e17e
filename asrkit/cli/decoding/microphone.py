"""Audio from a microphone, by sounddevice."""

import logging
from collections.abc import Iterator
from queue import SimpleQueue
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from asrkit.utils.errors import InputError

logger = logging.getLogger(__name__)


def record_packets(sampling_rate: int, num_samples: int) -> Iterator[Tensor]:
    """Yield packets of `num_samples` samples in [-1, 1] of the default microphone.

    They wait in a queue while others are recognized. Ends with the iterator only.

    Args:
        sampling_rate: Hz.
        num_samples: Of a packet.

    Raises:
        InputError: sounddevice is not installed, there is no microphone, it knows no
            such rate, or has gone.
    """
    sounddevice = import_sounddevice()
    heard: SimpleQueue[Tensor | None] = SimpleQueue()

    def take(block: np.ndarray, frames: int, time: Any, status: Any) -> None:
        if status:
            logger.warning("microphone: %s, audio is lost", status)
        heard.put(torch.from_numpy(block[:, 0].copy()))

    try:
        with sounddevice.InputStream(
            samplerate=sampling_rate,
            blocksize=num_samples,
            channels=1,
            dtype="float32",
            callback=take,
            finished_callback=lambda: heard.put(None),
        ):
            while (packet := heard.get()) is not None:
                yield packet
    except sounddevice.PortAudioError as error:
        raise InputError(
            f"no microphone gives {sampling_rate} Hz here ({error}); connect one, "
            "choose another default in the system, or pipe audio in: - is standard "
            "input"
        ) from error
    raise InputError("the microphone has gone; connect it and start again")


def import_sounddevice() -> ModuleType:
    """Return sounddevice.

    Raises:
        InputError: It, or the library that it needs, is not installed.
    """
    try:
        import sounddevice
    except ImportError:
        raise InputError(
            "--microphone needs sounddevice: pip install 'asrkit[microphone]', or pipe "
            "audio in: - is standard input"
        ) from None
    except OSError as error:
        raise InputError(
            f"--microphone needs the library PortAudio ({error}): apt install "
            "libportaudio2, or pipe audio in: - is standard input"
        ) from error
    module: ModuleType = sounddevice
    return module
