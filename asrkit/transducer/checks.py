"""Checks of the arguments that all transducer losses share.

To look at the values of lengths and tokens means to wait for the device. A caller that
made the tensors itself and knows them to be right says so with `trusted`; checks of
shapes, types and devices, which cost nothing, stay.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
import torch.nn.functional as F
from torch import Tensor

from asrkit.transducer.rules import Topology
from asrkit.utils.lengths import make_pad_mask

_trusting: ContextVar[bool] = ContextVar("trusting", default=False)


@contextmanager
def trusted() -> Iterator[None]:
    """Take the values of arguments as they are: no check waits for the device.

    A context, and a decorator of functions. What bad values do then is undefined.
    """
    token = _trusting.set(True)
    try:
        yield
    finally:
        _trusting.reset(token)


def trusting() -> bool:
    """Say whether values are taken as they are."""
    return _trusting.get()


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

    Waits for the device once, unless its caller is trusted.

    Args:
        T: Frames of the longest utterance.
        U: Labels of the longest transcript.
        V: Tokens with blank.
        tokens: (B, U), int64.
        enc_lens: (B,), int64.
        token_lens: (B,), int64.
        blank_id: Token id of blank.
        others: Further arguments by name, all of which have to be on one device; the
            first one has the batch in front.
    """
    B = len(next(iter(others.values())))
    if not 0 <= blank_id < V:
        raise ValueError(f"blank_id must be in 0..{V - 1}, got {blank_id}")
    lengths = {"enc_lens": enc_lens, "token_lens": token_lens}
    check_devices({**others, **lengths, "tokens": tokens})
    _check_int64("tokens", tokens, (B, U))
    for name, tensor in lengths.items():
        _check_int64(name, tensor, (B,))
    if trusting():
        return
    # One transfer fetches all that is asked.
    found = [*enc_lens.aminmax(), *token_lens.aminmax()]
    found += _look_at_tokens(tokens, token_lens, blank_id)
    values = torch.stack(found).tolist()
    _check_range("enc_lens", values[0], values[1], T)
    _check_range("token_lens", values[2], values[3], U)
    _check_tokens(values[4:], V, blank_id)


def check_arcs(
    blank: Tensor,
    label: Tensor,
    enc_lens: Tensor,
    token_lens: Tensor,
    *,
    names: tuple[str, str],
) -> None:
    """Raise ValueError for numbers of arcs and lengths that make no lattice.

    Args:
        blank: (B, T, U + 1).
        label: (B, T, U).
        enc_lens: (B,), int64.
        token_lens: (B,), int64.
        names: What the caller calls the first two.
    """
    lengths = {"enc_lens": enc_lens, "token_lens": token_lens}
    check_devices({**dict(zip(names, (blank, label), strict=True)), **lengths})
    B, T, rows = blank.shape
    if label.shape != (B, T, rows - 1):
        raise ValueError(
            f"{names[1]} has shape {tuple(label.shape)}, expected {(B, T, rows - 1)} "
            f"beside {names[0]} of shape {(B, T, rows)}"
        )
    for name, tensor in lengths.items():
        _check_int64(name, tensor, (B,))
    if trusting():
        return
    found = torch.stack([*enc_lens.aminmax(), *token_lens.aminmax()]).tolist()
    _check_range("enc_lens", found[0], found[1], T)
    _check_range("token_lens", found[2], found[3], rows - 1)


def check_rows(ranges: Tensor, pred: Tensor) -> None:
    """Raise ValueError for a band (B, T, R) of rows that pred (B, U + 1, J) lacks."""
    check_devices({"pred": pred, "ranges": ranges})
    _check_int64("ranges", ranges, (len(pred), *ranges.shape[1:]))
    if not trusting():
        low, high = torch.stack(ranges.aminmax()).tolist()
        _check_range("ranges", low, high, pred.shape[1] - 1)


def check_ranges(ranges: Tensor, R: int, U: int, topology: Topology) -> None:
    """Raise ValueError for ranges that no band can have."""
    if trusting():
        return
    most = max(R - 1, 1) if topology is Topology.REGULAR else 1
    first = ranges[..., 0]
    growth = first.diff(dim=1)
    good = (
        (ranges.diff(dim=2) == 1).all()
        & (first[:, :1] == 0).all()
        & ((growth >= 0) & (growth <= most)).all()
        & (ranges <= U).all()
    )
    if ranges.shape[2] != R or not bool(good):
        raise ValueError(
            f"ranges {tuple(ranges.shape)} are not those of a band of {R} rows that "
            f"starts at 0, ends by {U} and grows by 0 to {most} a frame; use "
            "prune_ranges with the same topology"
        )


def check_tokens(tokens: Tensor, token_lens: Tensor, V: int) -> None:
    """Raise ValueError for transcripts with blank (id 0) or an id out of range.

    Args:
        tokens: (B, U), int64.
        token_lens: (B,), int64.
        V: Tokens with blank.
    """
    check_devices({"tokens": tokens, "token_lens": token_lens})
    _check_int64("tokens", tokens, tuple(tokens.shape))
    _check_int64("token_lens", token_lens, (len(tokens),))
    if trusting():
        return
    found = [*token_lens.aminmax(), *_look_at_tokens(tokens, token_lens, 0)]
    values = torch.stack(found).tolist()
    _check_range("token_lens", values[0], values[1], tokens.shape[1])
    _check_tokens(values[2:], V, 0)


def check_devices(tensors: dict[str, Tensor]) -> None:
    """Raise ValueError if tensors are on several devices."""
    devices = {name: str(tensor.device) for name, tensor in tensors.items()}
    if len(set(devices.values())) > 1:
        listed = ", ".join(f"{name} on {device}" for name, device in devices.items())
        raise ValueError(f"all tensors have to be on one device: {listed}")


def _look_at_tokens(tokens: Tensor, token_lens: Tensor, blank_id: int) -> list[Tensor]:
    """Return the smallest and largest label and the number of blanks among them."""
    padding = make_pad_mask(token_lens, tokens.shape[1])  # may hold anything
    valid = tokens.masked_fill(padding, blank_id)
    blanks = (~padding & (tokens == blank_id)).sum()
    return [*F.pad(valid.flatten(), (0, 1), value=blank_id).aminmax(), blanks]


def _check_tokens(found: list[int], V: int, blank_id: int) -> None:
    """Raise ValueError for what `_look_at_tokens` found."""
    smallest, largest, blanks = found
    _check_range("tokens", smallest, largest, V - 1)
    if blanks:
        raise ValueError(f"tokens holds blank (id {blank_id}) as a label")


def _check_int64(name: str, tensor: Tensor, expected: tuple[int, ...]) -> None:
    """Raise ValueError for another shape or type."""
    if tuple(tensor.shape) != expected:
        raise ValueError(
            f"{name} has shape {tuple(tensor.shape)}, expected {expected} for a batch "
            f"of {expected[0]}"
        )
    if tensor.dtype != torch.int64:
        raise ValueError(f"{name} must be int64, got {tensor.dtype}")


def _check_range(name: str, smallest: int, largest: int, high: int) -> None:
    """Raise ValueError if values lie outside 0..high."""
    if smallest < 0 or largest > high:
        raise ValueError(f"{name} must be in 0..{high}, found {smallest}..{largest}")
