"""Checks of the arguments that all transducer losses share."""

import torch
import torch.nn.functional as F
from torch import Tensor

from asrkit.utils.lengths import make_pad_mask


def check_lattice_input(
    T: int,
    U: int,
    V: int,
    tokens: Tensor,
    enc_lens: Tensor,
    token_lens: Tensor,
    *,
    blank_id: int,
    others: dict[str, Tensor],
) -> None:
    """Raise ValueError for arguments that do not describe a lattice.

    Waits for the device once.

    Args:
        T: Frames of the longest utterance.
        U: Labels of the longest transcript.
        V: Tokens with blank.
        tokens: (B, U), int64.
        enc_lens: (B,), int64.
        token_lens: (B,), int64.
        blank_id: Token id of blank.
        others: Further arguments by name; all have to be on one device.
    """
    B = len(enc_lens)
    if not 0 <= blank_id < V:
        raise ValueError(f"blank_id must be in 0..{V - 1}, got {blank_id}")
    lengths = {"enc_lens": enc_lens, "token_lens": token_lens, "tokens": tokens}
    check_devices({**others, **lengths})
    for name, tensor, expected in (
        ("tokens", tokens, (B, U)),
        ("enc_lens", enc_lens, (B,)),
        ("token_lens", token_lens, (B,)),
    ):
        if tuple(tensor.shape) != expected:
            raise ValueError(
                f"{name} has shape {tuple(tensor.shape)}, expected {expected} for a "
                f"batch of {B} with at most {T} frames and {U} labels"
            )
        if tensor.dtype != torch.int64:
            raise ValueError(f"{name} must be int64, got {tensor.dtype}")
    padding = make_pad_mask(token_lens, U)
    # Padding may hold anything; one transfer fetches all that is asked.
    valid = tokens.masked_fill(padding, blank_id)
    blanks = (~padding & (tokens == blank_id)).sum()
    found = torch.stack(
        [
            *enc_lens.aminmax(),
            *token_lens.aminmax(),
            *F.pad(valid.flatten(), (0, 1), value=blank_id).aminmax(),
            blanks,
        ]
    ).tolist()
    _check_range("enc_lens", found[0], found[1], T)
    _check_range("token_lens", found[2], found[3], U)
    _check_range("tokens", found[4], found[5], V - 1)
    if found[6]:
        raise ValueError(f"tokens holds blank (id {blank_id}) as a label")


def check_devices(tensors: dict[str, Tensor]) -> None:
    """Raise ValueError if tensors are on several devices."""
    devices = {name: str(tensor.device) for name, tensor in tensors.items()}
    if len(set(devices.values())) > 1:
        listed = ", ".join(f"{name} on {device}" for name, device in devices.items())
        raise ValueError(f"all tensors have to be on one device: {listed}")


def _check_range(name: str, smallest: int, largest: int, high: int) -> None:
    """Raise ValueError if values lie outside 0..high."""
    if smallest < 0 or largest > high:
        raise ValueError(f"{name} must be in 0..{high}, found {smallest}..{largest}")
