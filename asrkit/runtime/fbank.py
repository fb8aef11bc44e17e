"""Log-mel filterbank features in NumPy, those that models are trained on."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

PREEMPHASIS = 0.97
ENERGY_FLOOR = np.finfo(np.float32).eps
LOW, HIGH = 20.0, 400.0
"""Hz: lower edge of the lowest bin; upper edge of the highest, below half the rate."""


class Fbank:
    """Kaldi's fbank as asrkit computes it: `asrkit.data.features.fbank`.

    Frames of 25 ms every 10 ms to the very end (snip_edges false), Povey window, no
    dither, no energy. An export has the default frequencies: no others are exported.

    Args:
        sampling_rate: Hz.
        num_bins: Mel bins, F.
    """

    def __init__(self, sampling_rate: int, num_bins: int) -> None:
        self.sampling_rate = sampling_rate
        self.length = round(0.025 * sampling_rate)
        self.shift = round(0.01 * sampling_rate)
        self.left = self.length // 2 - self.shift // 2  # samples before the first
        self.fft_length = 1 << (self.length - 1).bit_length()
        self.mel_banks = mel_banks(num_bins, self.fft_length, sampling_rate)
        angles = 2 * np.pi * np.arange(self.length) / (self.length - 1)
        # Kaldi's own window: a Hann window to the power of 0.85.
        self.window = ((0.5 - 0.5 * np.cos(angles)) ** 0.85).astype(np.float32)

    def __call__(self, samples: np.ndarray) -> np.ndarray:
        """Compute the features of a recording.

        Args:
            samples: In [-1, 1], (S,), float32, at least half a shift of them.

        Returns:
            (T, F), T = S / shift, rounded.
        """
        num_frames = (len(samples) + self.shift // 2) // self.shift
        end = (num_frames - 1) * self.shift + self.length
        right = max(0, end - self.left - len(samples))
        mirrored = np.pad(samples, (self.left, right), mode="symmetric")
        return self.features(self.frames(mirrored)[:num_frames])

    def frames(self, samples: np.ndarray) -> np.ndarray:
        """Return all frames that these samples have whole, (T, length)."""
        return sliding_window_view(samples, self.length)[:: self.shift]

    def features(self, frames: np.ndarray) -> np.ndarray:
        """Compute features (T, F) of frames (T, length)."""
        # Kaldi's order: no DC offset, pre-emphasis, window, power spectrum, mel, log.
        frames = frames - frames.mean(axis=1, keepdims=True)
        previous = np.concatenate([frames[:, :1], frames[:, :-1]], axis=1)
        frames = (frames - np.float32(PREEMPHASIS) * previous) * self.window
        spectrum = np.fft.rfft(frames, self.fft_length)
        power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
        return np.log(np.maximum(power @ self.mel_banks, ENERGY_FLOOR))


def mel_banks(num_bins: int, fft_length: int, sampling_rate: int) -> np.ndarray:
    """Return Kaldi's triangles, (fft_length / 2 + 1, num_bins), float32.

    They are of equal width in mel; the bin at half the rate is in none.
    """
    low, high = mel(np.array([LOW, sampling_rate / 2 - HIGH]))
    edges = np.linspace(low, high, num_bins + 2)
    bins = mel(np.arange(fft_length // 2) * sampling_rate / fft_length)[:, None]
    width = edges[1] - edges[0]
    triangles = np.maximum(1.0 - np.abs(bins - edges[1:-1]) / width, 0.0)
    return np.pad(triangles, ((0, 1), (0, 0))).astype(np.float32)


def mel(frequency: np.ndarray) -> np.ndarray:
    """Return frequencies (Hz) on Kaldi's mel scale."""
    return 1127.0 * np.log1p(frequency / 700.0)


class FbankPackets:
    """Computes a stream's features from packets of any size: those of the whole.

    A frame comes as soon as all its samples are there. A stream has no end: its last
    frames come when silence follows.

    Args:
        fbank: What computes them.
    """

    def __init__(self, fbank: Fbank) -> None:
        self.fbank = fbank
        self.samples = np.zeros(0, np.float32)
        self.begun = False

    def push(self, samples: np.ndarray) -> np.ndarray:
        """Take the next samples (S,), any number; return the new features, (T, F)."""
        fbank = self.fbank
        self.samples = np.concatenate([self.samples, samples])
        if not self.begun and len(self.samples) >= fbank.left:
            mirrored = self.samples[: fbank.left][::-1]
            self.samples = np.concatenate([mirrored, self.samples])
            self.begun = True
        if not self.begun or len(self.samples) < fbank.length:
            return fbank.features(np.zeros((0, fbank.length), np.float32))
        frames = fbank.frames(self.samples)
        self.samples = self.samples[len(frames) * fbank.shift :]
        return fbank.features(frames)
