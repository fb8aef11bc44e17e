"""Checks of the arguments that all transducer losses share."""

from collections.abc import Sequence

from torch import Tensor

from asrkit.utils.lengths import make_pad_mask


def check_lattice_input(
    shape: Sequence[int],
    tokens: Tensor,
    enc_lens: Tensor,
    token_lens: Tensor,
    *,
    blank_id: int,
) -> None:
    """Raise ValueError for arguments that do not describe a lattice.

    Args:
        shape: Of the logits, (B, T, U + 1, V).
        tokens: (B, U), int64.
        enc_lens: (B,), int64.
        token_lens: (B,), int64.
        blank_id: Token id of blank.
    """
    B, T, rows, V = shape
    for name, tensor, expected in (
        ("tokens", tokens, (B, rows - 1)),
        ("enc_lens", enc_lens, (B,)),
        ("token_lens", token_lens, (B,)),
    ):
        if tuple(tensor.shape) != expected:
            raise ValueError(
                f"{name} has shape {tuple(tensor.shape)}, expected {expected} for "
                f"logits of shape {tuple(shape)}"
            )
    _check_range("enc_lens", enc_lens, 1, T)
    _check_range("token_lens", token_lens, 0, rows - 1)
    valid = tokens[~make_pad_mask(token_lens, rows - 1)]
    if valid.numel():
        _check_range("tokens", valid, 0, V - 1)
        if bool((valid == blank_id).any()):
            raise ValueError(f"tokens holds blank (id {blank_id}) as a label")


def _check_range(name: str, values: Tensor, low: int, high: int) -> None:
    """Raise ValueError if a value lies outside low..high."""
    smallest, largest = int(values.min()), int(values.max())
    if smallest < low or largest > high:
        raise ValueError(
            f"{name} must be in {low}..{high}, found {smallest}..{largest}"
        )
