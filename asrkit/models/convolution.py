"""The convolution module of the conformer."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from asrkit.models.chunks import chunk_columns


class ConvolutionModule(nn.Module):
    """LayerNorm, gated pointwise, depthwise over time, LayerNorm, SiLU, pointwise.

    The paper's BatchNorm is a LayerNorm here (as in RWTH's later conformers): no
    running statistics, the same in training and decoding.
    """

    def __init__(self, dim: int, kernel_size: int) -> None:
        super().__init__()
        self.past = kernel_size // 2
        self.norm = nn.LayerNorm(dim)
        self.gated = nn.Linear(dim, 2 * dim)
        # A (K, 1) kernel over (B, D, T, 1): on a CPU three to four times as fast as
        # the equal Conv1d.
        self.depthwise = nn.Conv2d(
            dim, dim, (kernel_size, 1), padding=(kernel_size // 2, 0), groups=dim
        )
        self.depthwise_norm = nn.LayerNorm(dim)
        self.pointwise = nn.Linear(dim, dim)

    def forward(
        self, x: Tensor, frame_mask: Tensor, chunk_size: int | None = None
    ) -> Tensor:
        """Map (B, T, D) to (B, T, D); frame_mask (B, 1, T, 1) is True on speech.

        With a chunk's size, frames see nothing beyond their chunk, and what is before
        it as ever (dynamic chunk convolution: Li et al., 2023, arXiv 2304.09325).
        """
        # Gulati et al. (2020), section 2.2: pointwise, GLU, depthwise, norm, Swish
        # (SiLU), pointwise.
        x = self._gate(x, frame_mask)
        if chunk_size is None:
            return self._finish(self.depthwise(x).squeeze(3))
        ahead = self._ahead(chunk_columns(x.squeeze(3), chunk_size))
        ahead = ahead.transpose(2, 3).flatten(2)[:, :, : x.shape[2]]
        causal = self._causal(F.pad(x, (0, 0, self.past, 0)))
        return self._finish(causal.squeeze(3) + ahead)

    def step(
        self, x: Tensor, frame_mask: Tensor, past: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Do the same with a chunk (B, S, D) and what is remembered, (B, D, K // 2)."""
        gated = self._gate(x, frame_mask)
        window = torch.cat([past.unsqueeze(3), gated], dim=2)
        after = window[:, :, x.shape[1] :, 0]
        x = self._causal(window) + self._ahead(gated)
        return self._finish(x.squeeze(3)), after

    def _gate(self, x: Tensor, frame_mask: Tensor) -> Tensor:
        """Return what the depthwise convolution sees of x (B, T, D), (B, D, T, 1)."""
        x = F.glu(self.gated(self.norm(x)), dim=-1)
        return x.transpose(1, 2).unsqueeze(3) * frame_mask

    def _causal(self, x: Tensor) -> Tensor:
        """Apply the taps up to a frame itself to (B, D, K // 2 + T, 1)."""
        conv = self.depthwise
        taps = conv.weight[:, :, : self.past + 1]
        return F.conv2d(x, taps, conv.bias, groups=conv.groups)

    def _ahead(self, chunks: Tensor) -> Tensor:
        """Apply the taps beyond a frame to N chunks (B, D, S, N), each for itself."""
        # int: in a trace for ONNX sizes are tensors, and kernels need numbers.
        reach = min(self.past, int(chunks.shape[2]) - 1)
        if reach == 0:
            return torch.zeros_like(chunks)
        taps = self.depthwise.weight[:, :, self.past + 1 :][:, :, :reach]
        ahead = F.pad(chunks[:, :, 1:], (0, 0, 0, reach))
        return F.conv2d(ahead, taps, groups=self.depthwise.groups)

    def _finish(self, x: Tensor) -> Tensor:
        """Map what the depthwise convolution gave, (B, D, T), to (B, T, D)."""
        x = self.depthwise_norm(x.transpose(1, 2))
        return self.pointwise(F.silu(x))
