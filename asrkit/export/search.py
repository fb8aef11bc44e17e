"""What searches find in a batch, with networks in ONNX files."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from asrkit.runtime.search import Search
from asrkit.runtime.transcript import Labels

Run = Callable[..., Sequence[Tensor]]
"""A network in a file."""


def encode_chunks(
    encoder: Run, feats: Tensor, size: int, states: Sequence[Tensor]
) -> Tensor:
    """Encode a batch of streams chunk by chunk, (N, T, J).

    Args:
        encoder: Maps x and states to (N, frames, J) and the next states.
        feats: (N, chunks * size, F).
        size: Feature frames of a chunk.
        states: Those of streams that begin.
    """
    frames = []
    for chunk in feats.split(size, dim=1):
        encoded, *states = encoder(chunk.contiguous(), *states)
        frames.append(encoded)
    return torch.cat(frames, dim=1)


def search_each(
    begin: Callable[[], Search], encoded: Tensor, enc_lens: Tensor
) -> list[Labels]:
    """Search a batch, one utterance after the other, as asrkit.runtime does it.

    Args:
        begin: Begins a search.
        encoded: What the acoustic network gave, (N, T, J) or (N, T, V).
        enc_lens: (N,), int64.
    """
    found = []
    for frames, length in zip(encoded.numpy(), enc_lens.tolist(), strict=True):
        search = begin()
        search.push(frames[:length])
        found.append(search.labels)
    return found
