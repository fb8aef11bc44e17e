"""Greedy search as sherpa-onnx does it, with networks in ONNX files."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Run = Callable[..., Sequence[Tensor]]
"""A network in a file."""
Labels = list[tuple[int, int]]
"""Label and encoder frame of each that was emitted."""


def greedy(
    encoder: Run, decoder: Run, joiner: Run, feats: Tensor, lens: Tensor, context: int
) -> list[Labels]:
    """Search a batch for a transducer's labels, at most one a frame.

    Args:
        encoder: Maps x, x_lens to (N, T, J), lengths.
        decoder: Maps the last labels to (N, J).
        joiner: Maps both to (N, V).
        feats: (N, T_in, F).
        lens: (N,), int64.
        context: Labels that the decoder sees, C.
    """
    encoded, enc_lens = encoder(feats, lens)
    history = torch.full((len(lens), context), -1)
    history[:, -1] = 0
    decoded = decoder(history)[0]
    found: list[Labels] = [[] for _ in lens]
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


def ctc_greedy(ctc: Run, feats: Tensor, lens: Tensor) -> list[Labels]:
    """Take a batch's likeliest tokens, merge repeats and drop blank.

    Args:
        ctc: Maps x, x_lens to (N, T, V), lengths.
        feats: (N, T_in, F).
        lens: (N,), int64.
    """
    log_probs, enc_lens = ctc(feats, lens)
    rows = zip(log_probs.argmax(dim=-1).tolist(), enc_lens.tolist(), strict=True)
    return [
        [
            (label, time)
            for time, label in enumerate(row[:count])
            if label and (time == 0 or label != row[time - 1])
        ]
        for row, count in rows
    ]
