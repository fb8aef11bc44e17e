"""Greedy search as sherpa-onnx does it, with networks in ONNX files."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Run = Callable[..., Sequence[Tensor]]
"""A network in a file."""
Labels = list[tuple[int, int]]
"""Label and encoder frame of each that was emitted."""


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


def greedy(
    decoder: Run, joiner: Run, encoded: Tensor, enc_lens: Tensor, context: int
) -> list[Labels]:
    """Search a batch for a transducer's labels, at most one a frame.

    Args:
        decoder: Maps the last labels to (N, J).
        joiner: Maps both sides to (N, V).
        encoded: The encoder's side, (N, T, J).
        enc_lens: (N,), int64.
        context: Labels that the decoder sees, C.
    """
    history = torch.full((len(enc_lens), context), -1)
    history[:, -1] = 0
    decoded = decoder(history)[0]
    found: list[Labels] = [[] for _ in enc_lens]
    for time in range(int(enc_lens.max())):
        best = joiner(encoded[:, time].contiguous(), decoded)[0].argmax(dim=-1)
        emits = (best > 0) & (time < enc_lens)
        for row in emits.nonzero()[:, 0].tolist():
            found[row].append((int(best[row]), time))
        shifted = torch.cat([history[:, 1:], best[:, None]], dim=1)
        history = torch.where(emits[:, None], shifted, history)
        if emits.any():
            decoded = decoder(history)[0]
    return found


def ctc_greedy(log_probs: Tensor, enc_lens: Tensor) -> list[Labels]:
    """Take a batch's likeliest tokens, merge repeats and drop blank.

    Args:
        log_probs: (N, T, V).
        enc_lens: (N,), int64.
    """
    rows = zip(log_probs.argmax(dim=-1).tolist(), enc_lens.tolist(), strict=True)
    return [
        [
            (label, time)
            for time, label in enumerate(row[:count])
            if label and (time == 0 or label != row[time - 1])
        ]
        for row, count in rows
    ]
