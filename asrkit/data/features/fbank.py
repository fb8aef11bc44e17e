"""Log-mel filterbank features as Kaldi computes them, in batches on any device."""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from lhotse.features.kaldi.layers import create_frame_window
from torch import Tensor, nn

from asrkit.utils.errors import InputError
from asrkit.utils.lengths import IntOrTensor
from asrkit.utils.ranges import check_range

AUTO = "auto"
FRAME_SHIFT = 0.01
"""Seconds between the starts of two frames."""
FRAME_LENGTH = 0.025
"""Seconds of audio in a frame."""
PREEMPHASIS = 0.97
ENERGY_FLOOR = 1.1920928955078125e-07  # float32's epsilon, as in Kaldi


@dataclass(kw_only=True)
class FeaturesConfig:
    """Kaldi-compatible log-mel filterbank features, 100 frames a second."""

    sampling_rate: Any = 16000  # OmegaConf takes no int | str in nested configs
    """Hz; audio of another rate is resampled as it is read. auto: 8000 where most of
    what is trained on is of that rate, as telephone speech is, else 16000."""
    num_bins: int = 80
    """Mel bins, F."""
    low_freq: float = 20.0
    """Hz, lower edge of the lowest bin."""
    high_freq: float = -400.0
    """Hz, upper edge of the highest bin; 0 or less counts from half the rate."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        if isinstance(self.sampling_rate, int):
            check_range(self, "features", "sampling_rate", least=1)
        elif self.sampling_rate != AUTO:
            raise ValueError(
                "features.sampling_rate must be a whole number of Hz or auto, got "
                f"{self.sampling_rate!r}"
            )
        check_range(self, "features", "num_bins", least=1)
        check_range(self, "features", "low_freq", least=0)

    def build(self) -> "Fbank":
        """Make the feature extractor.

        Raises:
            InputError: The rate is auto, and nothing has decided it.
        """
        if self.sampling_rate == AUTO:
            raise InputError(
                "features.sampling_rate=auto is for training; give a number of Hz here"
            )
        return Fbank(
            sampling_rate=self.sampling_rate,
            num_bins=self.num_bins,
            low_freq=self.low_freq,
            high_freq=self.high_freq,
        )


def num_frames(num_samples: IntOrTensor, sampling_rate: int) -> IntOrTensor:
    """Return the frames of recordings of `num_samples` (Kaldi's snip_edges=false)."""
    shift = round(FRAME_SHIFT * sampling_rate)
    return (num_samples + shift // 2) // shift


class Fbank(nn.Module):
    """Kaldi's fbank with dither 0, snip_edges false, Povey window, no energy.

    Every utterance is framed by its own length (mirrored at its own ends), so that
    its features are the same alone and in a batch. Arguments as in `FeaturesConfig`.
    """

    window: Tensor
    mel_banks: Tensor
    offsets: Tensor

    def __init__(
        self, *, sampling_rate: int, num_bins: int, low_freq: float, high_freq: float
    ) -> None:
        super().__init__()
        self.sampling_rate = sampling_rate
        self.num_bins = num_bins
        self.low_freq, self.high_freq = low_freq, high_freq
        length = round(FRAME_LENGTH * sampling_rate)
        self.shift = round(FRAME_SHIFT * sampling_rate)
        self.fft_length = 1 << (length - 1).bit_length()
        banks = mel_banks(num_bins, self.fft_length, sampling_rate, low_freq, high_freq)
        self.register_buffer("mel_banks", banks, persistent=False)
        window = create_frame_window(length, "povey")
        self.register_buffer("window", window, persistent=False)
        offsets = torch.arange(length) + self.shift // 2 - length // 2
        self.register_buffer("offsets", offsets, persistent=False)

    @torch.no_grad()
    def forward(self, audio: Tensor, audio_lens: Tensor) -> tuple[Tensor, Tensor]:
        """Compute features in float32.

        Args:
            audio: Samples in [-1, 1], (B, S).
            audio_lens: Samples per utterance, (B,), int64.

        Returns:
            feats (B, T_in, F), zero in the padding, and feat_lens (B,), int64.
        """
        with torch.autocast(audio.device.type, enabled=False):
            return self._compute(audio, audio_lens)

    def _compute(self, audio: Tensor, audio_lens: Tensor) -> tuple[Tensor, Tensor]:
        """Compute features, see `forward`."""
        feat_lens = num_frames(audio_lens, self.sampling_rate)
        times = torch.arange(int(feat_lens.max()), device=audio.device)
        index = self.samples(times, audio_lens)
        # Past the last frame of a short utterance there is nothing to mirror.
        index = index.clamp(max=audio.shape[1] - 1)
        frames = audio.float().gather(1, index).view(len(audio), len(times), -1)
        feats = self.features(frames)
        feats = feats.masked_fill((times >= feat_lens[:, None])[..., None], 0.0)
        return feats, feat_lens

    def samples(self, times: Tensor, audio_lens: Tensor) -> Tensor:
        """Return which samples frames are made of, mirrored at the ends.

        Args:
            times: Frames, (T,).
            audio_lens: Samples of each utterance, (B,).

        Returns:
            (B, T * length), frame by frame.
        """
        index = (times[:, None] * self.shift + self.offsets).flatten()
        last = 2 * audio_lens[:, None] - 1
        index = torch.where(index < 0, -index - 1, index)
        index = torch.where(index >= audio_lens[:, None], last - index, index)
        return index.clamp(min=0)

    def features(self, frames: Tensor) -> Tensor:
        """Compute features (..., F) of frames (..., length) of audio."""
        # Kaldi's order: no DC offset, pre-emphasis, window, power spectrum, mel, log.
        frames = frames - frames.mean(dim=-1, keepdim=True)
        previous = torch.cat([frames[..., :1], frames[..., :-1]], dim=-1)
        frames = (frames - PREEMPHASIS * previous) * self.window
        spectrum = torch.fft.rfft(frames, n=self.fft_length)
        power = spectrum.real.square() + spectrum.imag.square()
        return (power @ self.mel_banks).clamp(min=ENERGY_FLOOR).log()


def mel_banks(
    num_bins: int,
    fft_length: int,
    sampling_rate: int,
    low_freq: float,
    high_freq: float,
) -> Tensor:
    """Return Kaldi's triangular filters, (fft_length / 2 + 1, num_bins).

    Triangles of equal width in mel, 1127 ln(1 + f / 700), over the bins of the power
    spectrum; the bin at half the sampling rate is left out, as in Kaldi.
    """
    nyquist = sampling_rate / 2
    top = high_freq if high_freq > 0 else nyquist + high_freq
    if not 0 <= low_freq < top <= nyquist:
        raise ValueError(
            f"features.low_freq {low_freq} and features.high_freq {high_freq} do not "
            f"fit into 0 to {nyquist} Hz"
        )
    edges = mel(torch.tensor([low_freq, top], dtype=torch.float64))
    points = torch.linspace(edges[0], edges[1], num_bins + 2, dtype=torch.float64)
    left, centre, right = points[:-2], points[1:-1], points[2:]
    bins = torch.arange(fft_length // 2, dtype=torch.float64)
    frequencies = mel(bins * sampling_rate / fft_length)[:, None]
    rising = (frequencies - left) / (centre - left)
    falling = (right - frequencies) / (right - centre)
    return F.pad(rising.minimum(falling).clamp(min=0.0), (0, 0, 0, 1)).float()


def mel(frequency: Tensor) -> Tensor:
    """Return frequencies (Hz) on the mel scale of Kaldi."""
    return 1127.0 * (1.0 + frequency / 700.0).log()
