"""Lengths and the masks made from them."""

from typing import TypeVar

import torch
from torch import Tensor

IntOrTensor = TypeVar("IntOrTensor", int, Tensor)


def make_pad_mask(lens: Tensor, max_len: int) -> Tensor:
    """Mark padding.

    Args:
        lens: Valid positions per row, (B,), int64.
        max_len: Width of the mask.

    Returns:
        (B, max_len), bool; True is padding.
    """
    positions = torch.arange(max_len, device=lens.device)
    return positions[None, :] >= lens[:, None]
