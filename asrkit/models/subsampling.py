"""Convolutional subsampling: 100 frames a second in, 25 out."""

import torch.nn.functional as F
from torch import Tensor, nn

from asrkit.utils.lengths import IntOrTensor, make_pad_mask

FACTOR = 4
"""Input frames per output frame."""


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
        x = F.silu(self.pointwise(self.depthwise(x)))
        x = self.output(x.transpose(1, 2).flatten(2))
        return x, subsampled_lens(feat_lens)


def _zero_padding(x: Tensor, lens: Tensor) -> Tensor:
    """Zero what lies past `lens` on axis 2 of x (B, C, T, F)."""
    pad_mask = make_pad_mask(lens, x.shape[2])
    return x.masked_fill(pad_mask[:, None, :, None], 0.0)
