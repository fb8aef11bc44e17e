"""Features of audio that comes in packets."""

import torch
from torch import Tensor

from asrkit.data.features.fbank import Fbank, num_frames


class FbankPackets:
    """Computes a stream's features from packets of any size: those of the whole.

    A frame comes as soon as all its samples are there: it reaches 7.5 ms beyond its
    10 ms to either side. The samples that the next frames need are kept.

    Args:
        fbank: What computes them.
    """

    def __init__(self, fbank: Fbank) -> None:
        self.fbank = fbank
        self._begin()

    def _begin(self) -> None:
        """Begin a stream."""
        self.audio = self.fbank.window[:0]  # what is kept
        self.dropped = 0  # samples before it
        self.time = 0  # the next frame

    @torch.no_grad()
    def push(self, audio: Tensor, *, ended: bool = False) -> Tensor:
        """Take the next samples.

        Args:
            audio: Samples in [-1, 1], (S,), any number.
            ended: The stream ends with them. What is pushed next is a new one.

        Returns:
            The new features, (frames, F).
        """
        fbank = self.fbank
        self.audio = torch.cat([self.audio, audio.float().to(self.audio.device)])
        count = self.dropped + len(self.audio)
        until = num_frames(count, fbank.sampling_rate) if ended else self._whole(count)
        times = torch.arange(self.time, until, device=self.audio.device)
        lens = torch.tensor([count], device=self.audio.device)
        index = fbank.samples(times, lens)[0] - self.dropped
        frames = self.audio[index].view(-1, len(fbank.window))
        self.time = until
        self._drop()
        if ended:
            self._begin()
        # Some libraries transform no empty batch.
        return fbank.features(frames) if len(frames) else fbank.mel_banks[:0]

    def _whole(self, count: int) -> int:
        """Return the frames whose samples are among the first `count`."""
        last = int(self.fbank.offsets[-1])  # of frame 0
        return max(0, (count - 1 - last) // self.fbank.shift + 1)

    def _drop(self) -> None:
        """Forget samples before the next frame's first."""
        first = self.time * self.fbank.shift + int(self.fbank.offsets[0])
        unneeded = max(0, first - self.dropped)
        self.audio = self.audio[unneeded:].clone()
        self.dropped += unneeded
