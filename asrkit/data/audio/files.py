"""Audio files of any rate and length, cut into pieces that a model can take."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from asrkit.data.audio.channels import mix_down
from asrkit.data.audio.sound_file import describe_failure, open_any
from asrkit.data.left_out import UnusableError
from asrkit.utils.errors import InputError

_SEARCH_SECONDS = 5.0  # a long piece is cut at the quietest place of its end
_HOP_SECONDS = 0.02


def read_audio(path: Path, sampling_rate: int) -> Tensor:
    """Read a file that libsndfile or ffmpeg knows, resampled.

    Of several channels their mean is taken (`asrkit.data.audio.channels`).

    Returns:
        (S,), float32.

    Raises:
        InputError: The file is missing or cannot be decoded, or holds no audio.
    """
    from torchaudio.functional import resample

    try:
        with open_any(path) as file:
            rate = file.samplerate
            samples = file.read(dtype="float32", always_2d=True)
    except UnusableError as error:
        raise InputError(f"{path} cannot be read as audio: {error}") from error
    except Exception as error:  # a reader may raise anything at a damaged file
        reason = describe_failure(path, error)
        raise InputError(f"{path} cannot be read as audio: {reason}") from error
    if not len(samples):
        raise InputError(f"{path} holds no audio")
    mono = torch.from_numpy(mix_down(samples.T))
    return resample(mono, rate, sampling_rate) if rate != sampling_rate else mono


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
