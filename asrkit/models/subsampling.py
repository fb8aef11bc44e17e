"""Convolutional subsampling: 100 frames a second in, 25 out."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from asrkit.utils.lengths import IntOrTensor, make_pad_mask

FACTOR = 4
"""Input frames per output frame."""
PAST = 3
"""Input frames before its own four that an output frame sees: t sees 4 t - 3 to
4 t + 3, none beyond its own."""


def subsampled_lens(lens: IntOrTensor) -> IntOrTensor:
    """Return ceil(lens / 4), the output frames of `ConvSubsampling`."""
    return (lens + FACTOR - 1) // FACTOR


class ConvSubsampling(nn.Module):
    """Two 3x3 convolutions of stride 2 over time and frequency, then a projection.

    The second convolution is depthwise separable (as in FastConformer), which
    leaves most of the parameters and the time to the encoder's own blocks.

    Args:
        num_bins: Feature bins per frame, F.
        channels: Channels of the convolutions.
        output_dim: Model dimension, D.
    """

    def __init__(self, num_bins: int, channels: int, output_dim: int) -> None:
        super().__init__()
        self.num_bins = num_bins
        self.first = nn.Conv2d(1, channels, 3, stride=2, padding=1)
        self.depthwise = nn.Conv2d(
            channels, channels, 3, stride=2, padding=1, groups=channels
        )
        self.pointwise = nn.Conv2d(channels, channels, 1)
        self.output = nn.Linear(channels * ((num_bins + 3) // 4), output_dim)

    def forward(self, feats: Tensor, feat_lens: Tensor) -> tuple[Tensor, Tensor]:
        """Subsample.

        Args:
            feats: (B, T_in, F).
            feat_lens: (B,), int64.

        Returns:
            (B, ceil(T_in / 4), D) and its lengths, (B,), int64.
        """
        # Zeroed padding is what a convolution sees past the end of a lone utterance,
        # so that the result does not depend on the batch.
        x = _zero_padding(feats.unsqueeze(1), feat_lens)
        x = F.silu(self.first(x))
        half_lens = (feat_lens + 1) // 2
        x = _zero_padding(x, half_lens)
        return self._project(self.depthwise(x)), subsampled_lens(feat_lens)

    def step(
        self, feats: Tensor, feat_lens: Tensor, past: Tensor, begins: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Subsample the next chunk of each stream.

        Args:
            feats: (B, 4 S, F).
            feat_lens: (B,), int64.
            past: The PAST frames before it, (B, 3, F); zeros before the first.
            begins: (B,), bool; True where the chunk is the stream's first.

        Returns:
            (B, S, D), its lengths, (B,), int64, and the last frames, (B, 3, F).
        """
        x = torch.cat([past, feats], dim=1).unsqueeze(1)
        x = _zero_padding(x, feat_lens + PAST)
        past = x[:, 0, feats.shape[1] :]
        x = F.silu(_convolve(self.first, x))  # one frame of the past, then 2 S
        x = _zero_padding(x, (feat_lens + 1) // 2 + 1)
        # Before a stream stand zeros here, too, not what a convolution makes of zeros.
        before = F.pad(begins[:, None], (0, x.shape[2] - 1))
        x = x.masked_fill(before[:, None, :, None], 0.0)
        x = self._project(_convolve(self.depthwise, x))
        return x, subsampled_lens(feat_lens), past

    def _project(self, x: Tensor) -> Tensor:
        """Map the depthwise convolution's output (B, C, T, F / 4) to (B, T, D)."""
        x = F.silu(self.pointwise(x))
        return self.output(x.transpose(1, 2).flatten(2))


def _convolve(conv: nn.Conv2d, x: Tensor) -> Tensor:
    """Apply a convolution that pads no time: x has the frames before and after."""
    return F.conv2d(x, conv.weight, conv.bias, conv.stride, (0, 1), groups=conv.groups)


def _zero_padding(x: Tensor, lens: Tensor) -> Tensor:
    """Zero what lies past `lens` on axis 2 of x (B, C, T, F)."""
    pad_mask = make_pad_mask(lens, x.shape[2])
    return x.masked_fill(pad_mask[:, None, :, None], 0.0)
