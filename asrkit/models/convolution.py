"""The convolution module of the conformer."""

import torch.nn.functional as F
from torch import Tensor, nn


class ConvolutionModule(nn.Module):
    """LayerNorm, gated pointwise, depthwise over time, LayerNorm, SiLU, pointwise.

    The paper's BatchNorm is a LayerNorm here (as in RWTH's later conformers): no
    running statistics, the same in training and decoding.
    """

    def __init__(self, dim: int, kernel_size: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.gated = nn.Linear(dim, 2 * dim)
        # A (K, 1) kernel over (B, D, T, 1): on a CPU three to four times as fast as
        # the equal Conv1d.
        self.depthwise = nn.Conv2d(
            dim, dim, (kernel_size, 1), padding=(kernel_size // 2, 0), groups=dim
        )
        self.depthwise_norm = nn.LayerNorm(dim)
        self.pointwise = nn.Linear(dim, dim)

    def forward(self, x: Tensor, frame_mask: Tensor) -> Tensor:
        """Map (B, T, D) to (B, T, D); frame_mask (B, 1, T, 1) is True on speech."""
        # Gulati et al. (2020), section 2.2: pointwise, GLU, depthwise, norm, Swish
        # (SiLU), pointwise.
        x = F.glu(self.gated(self.norm(x)), dim=-1)
        x = x.transpose(1, 2).unsqueeze(3) * frame_mask  # (B, D, T, 1)
        x = self.depthwise(x).squeeze(3).transpose(1, 2)
        return self.pointwise(F.silu(self.depthwise_norm(x)))
