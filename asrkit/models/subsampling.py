"""Convolutional subsampling: 100 frames a second in, 25 or 12.5 out."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from asrkit.utils.lengths import IntOrTensor, make_pad_mask

FACTORS = (4, 8)
"""Input frames per output frame that there are to choose from."""


def subsampled_lens(lens: IntOrTensor, factor: int) -> IntOrTensor:
    """Return ceil(lens / factor), the output frames of `ConvSubsampling`."""
    return (lens + factor - 1) // factor


class ConvSubsampling(nn.Module):
    """3x3 convolutions of stride 2 over time and frequency, then a projection.

    There are two (factor 4) or three (8). All but the first are depthwise separable
    (FastConformer: Rekesh et al., 2023, arXiv 2305.05084), which leaves most of the
    parameters and the time to the encoder's own blocks. With factor r frame t sees r t
    - (r - 1) to r t + (r - 1): r - 1 frames before its own r, and none beyond them.

    Args:
        num_bins: Feature bins per frame, F.
        channels: Channels of the convolutions.
        output_dim: Model dimension, D.
        factor: Input frames per output frame, r: 4 or 8.
    """

    def __init__(
        self, num_bins: int, channels: int, output_dim: int, factor: int
    ) -> None:
        super().__init__()
        self.num_bins = num_bins
        self.factor = factor
        self.past = factor - 1
        self.first = nn.Conv2d(1, channels, 3, stride=2, padding=1)
        self.between = nn.ModuleList(
            nn.Sequential(_depthwise(channels), nn.Conv2d(channels, channels, 1))
            for _ in range(FACTORS.index(factor))
        )
        self.depthwise = _depthwise(channels)
        self.pointwise = nn.Conv2d(channels, channels, 1)
        bins = subsampled_lens(num_bins, factor)
        self.output = nn.Linear(channels * bins, output_dim)

    def forward(self, feats: Tensor, feat_lens: Tensor) -> tuple[Tensor, Tensor]:
        """Subsample.

        Args:
            feats: (B, T_in, F).
            feat_lens: (B,), int64.

        Returns:
            (B, ceil(T_in / r), D) and its lengths, (B,), int64.
        """
        x, lens = feats.unsqueeze(1), feat_lens
        for halve, *mix in self._stages():
            # Zeroed padding is what a convolution sees past the end of a lone
            # utterance, so that the result does not depend on the batch.
            x = _activate(halve(_zero_padding(x, lens)), mix)
            lens = subsampled_lens(lens, 2)
        return self._project(x), lens

    def step(
        self, feats: Tensor, feat_lens: Tensor, past: Tensor, begins: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Subsample the next chunk of each stream.

        Args:
            feats: (B, r S, F).
            feat_lens: (B,), int64.
            past: The r - 1 frames before it, (B, r - 1, F); zeros before the first.
            begins: (B,), bool; True where the chunk is the stream's first.

        Returns:
            (B, S, D), its lengths, (B,), int64, and the last frames, (B, r - 1, F).
        """
        window = torch.cat([past, feats], dim=1)
        x, lens, before = window.unsqueeze(1), feat_lens, self.past
        for halve, *mix in self._stages():
            x = _zero_padding(x, lens + before)
            # Before a stream stand zeros at each stage, not what the last made of them.
            absent = F.pad(begins[:, None].expand(-1, before), (0, x.shape[2] - before))
            x = x.masked_fill(absent[:, None, :, None], 0.0)
            x = _activate(_convolve(halve, x), mix)
            lens, before = subsampled_lens(lens, 2), before // 2
        return self._project(x), lens, window[:, feats.shape[1] :]

    def _stages(self) -> list[list[nn.Conv2d]]:
        """Return each convolution of stride 2, and what mixes its channels, if any."""
        between = [list(stage) for stage in self.between]  # type: ignore[call-overload]
        return [[self.first], *between, [self.depthwise, self.pointwise]]

    def _project(self, x: Tensor) -> Tensor:
        """Map (B, C, T, F / r) to (B, T, D)."""
        return self.output(x.transpose(1, 2).flatten(2))


def _depthwise(channels: int) -> nn.Conv2d:
    return nn.Conv2d(channels, channels, 3, stride=2, padding=1, groups=channels)


def _activate(x: Tensor, mix: list[nn.Conv2d]) -> Tensor:
    """Mix the channels of a convolution's output, if anything does, then SiLU."""
    for conv in mix:
        x = conv(x)
    return F.silu(x)


def _convolve(conv: nn.Conv2d, x: Tensor) -> Tensor:
    """Apply a convolution that pads no time: x has the frames before and after."""
    return F.conv2d(x, conv.weight, conv.bias, conv.stride, (0, 1), groups=conv.groups)


def _zero_padding(x: Tensor, lens: Tensor) -> Tensor:
    """Zero what lies past `lens` on axis 2 of x (B, C, T, F)."""
    pad_mask = make_pad_mask(lens, x.shape[2])
    return x.masked_fill(pad_mask[:, None, :, None], 0.0)
