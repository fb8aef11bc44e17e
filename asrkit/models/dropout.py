"""Dropout that does not wait for the CPU's random numbers."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Dropout(nn.Module):
    """Dropout; on a CPU eight elements share one 64-bit random number.

    torch draws one number of a serial generator per element, which took a third of
    an encoder step on a CPU. Here every byte of a number decides one element, so the
    probability is rounded to a multiple of 1/256.

    Args:
        probability: Share of elements set to 0.
    """

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, x: Tensor) -> Tensor:
        """Drop elements of x (any shape) in training and scale up the rest."""
        if not self.training or self.probability == 0.0:
            return x
        if x.device.type != "cpu":
            return F.dropout(x, self.probability)
        dropped = round(256 * self.probability)
        words = torch.empty((x.numel() + 7) // 8, dtype=torch.int64)
        words.random_(torch.iinfo(torch.int64).min, None)
        draws = words.view(torch.uint8)[: x.numel()].view(x.shape)
        return x * (draws >= dropped).to(x.dtype).mul_(256 / (256 - dropped))
