"""Audio files of any rate and length, cut into pieces that a model can take."""

import logging
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from asrkit.data.audio.channels import mix_down, silent_channels
from asrkit.data.audio.sound_file import describe_failure, open_any
from asrkit.data.left_out import UnusableError
from asrkit.utils.errors import InputError

logger = logging.getLogger(__name__)

_SEARCH_SECONDS = 5.0  # a long piece is cut at the quietest place of its end
_HOP_SECONDS = 0.02


def read_audio(path: Path, sampling_rate: int, channel: int | None = None) -> Tensor:
    """Read a file that libsndfile or ffmpeg knows, resampled.

    Args:
        path: The file.
        sampling_rate: Hz to resample to.
        channel: Of the file, from 0; None takes the mean of all, and says so where
            there are several (`asrkit.data.audio.channels`).

    Returns:
        (S,), float32.

    Raises:
        InputError: The file is missing, cannot be decoded, lacks the channel or holds
            no audio.
    """
    from torchaudio.functional import resample

    try:
        with open_any(path) as file:
            rate = file.samplerate
            samples = file.read(dtype="float32", always_2d=True).T
    except UnusableError as error:
        raise InputError(f"{path} cannot be read as audio: {error}") from error
    except Exception as error:  # a reader may raise anything at a damaged file
        reason = describe_failure(path, error)
        raise InputError(f"{path} cannot be read as audio: {reason}") from error
    if not samples.size:
        raise InputError(f"{path} holds no audio")
    mono = torch.from_numpy(_hear(path, samples, channel))
    return resample(mono, rate, sampling_rate) if rate != sampling_rate else mono


def _hear(path: Path, samples: np.ndarray, channel: int | None) -> np.ndarray:
    """Return what is heard of a file's samples (C, S), (S,)."""
    if channel is not None:
        if not 0 <= channel < len(samples):
            raise InputError(
                f"{path} has no channel {channel}; its channels are 0 to "
                f"{len(samples) - 1}"
            )
        return np.ascontiguousarray(samples[channel])
    if len(samples) > 1:
        silent = silent_channels(np.abs(samples).max(axis=1))
        told = f"; silent: {', '.join(map(str, silent))}" if silent else ""
        logger.warning("%s: the mean of %d channels%s", path, len(samples), told)
    return mix_down(samples)


def cut_pieces(
    audio: Tensor, sampling_rate: int, max_seconds: float
) -> list[tuple[int, int]]:
    """Cut long audio at quiet places.

    Args:
        audio: (S,).
        sampling_rate: Hz.
        max_seconds: Longest piece; the last seconds before it are searched for the
            quietest place to cut at.

    Returns:
        Start and end sample of each piece; together they are all of the audio.
    """
    longest = round(max_seconds * sampling_rate)
    search = min(round(_SEARCH_SECONDS * sampling_rate), longest // 2)
    hop = round(_HOP_SECONDS * sampling_rate)
    pieces: list[tuple[int, int]] = []
    start = 0
    while len(audio) - start > longest:
        low = start + longest - search
        window = audio[low : start + longest]
        frames = window[: len(window) // hop * hop].view(-1, hop)
        energy = np.convolve(frames.square().mean(dim=1).numpy(), np.ones(10), "same")
        end = low + int(energy.argmin()) * hop + hop // 2
        pieces.append((start, end))
        start = end
    return [*pieces, (start, len(audio))]
