"""Streams for searches: cut in every way, and a model that rounds alike in all."""

import torch
from torch import nn

from tests.numerics.search_reference import make_model


class ColumnByColumn(nn.Module):
    """A linear layer that rounds a row alike in any batch, as no BLAS promises."""

    def __init__(self, linear):
        super().__init__()
        self.weight = linear.weight
        self.bias = linear.bias

    def forward(self, x):
        out = torch.zeros_like(self.weight[:, 0])
        for column, weight in zip(x.unbind(-1), self.weight.unbind(1), strict=True):
            out = out + column[..., None] * weight
        return out if self.bias is None else out + self.bias


def exact_model(**options):
    model = make_model(**options)
    for name in ("enc_proj", "pred_proj", "output"):
        setattr(model.joiner, name, ColumnByColumn(getattr(model.joiner, name)))
    return model


def advance(state, parts):
    """Go on with frames of each stream, (T, D); None stands still."""
    some = next(part for part in parts if part is not None)
    parts = [some[:0] if part is None else part for part in parts]
    enc_out = nn.utils.rnn.pad_sequence(parts, batch_first=True, padding_value=9.0)
    state.advance(enc_out, torch.tensor([len(part) for part in parts]))


def feed_cut_up(state, enc_out, splits):
    """Give every stream the frames (T, D), cut after those where its split is True."""
    T = len(enc_out)
    for t in range(T):
        # A stream gets its chunk when it is cut, all at different times.
        parts = []
        for cuts in splits:
            if t < T - 1 and not cuts[t]:
                parts.append(None)
                continue
            begin = max((s + 1 for s in range(t) if cuts[s]), default=0)
            parts.append(enc_out[begin : t + 1])
        if any(part is not None for part in parts):
            advance(state, parts)


def feed_queued(state, queued, generator):
    """Give each row its streams (T, D) one after another, in chunks of any length.

    Yields after every chunk: what is found, what is settled, and the rows whose streams
    end with it, which are reset then.
    """
    done, at = [0] * len(queued), [0] * len(queued)
    while any(n < len(row) for n, row in zip(done, queued, strict=True)):
        parts, ended = [None] * len(queued), []
        for row, streams in enumerate(queued):
            if done[row] == len(streams):
                continue
            stream = streams[done[row]]
            until = at[row] + int(torch.randint(0, 12, (), generator=generator))
            parts[row] = stream[at[row] : until]
            at[row] = min(until, len(stream))
            if at[row] == len(stream):
                ended.append(row)
                done[row], at[row] = done[row] + 1, 0
        advance(state, parts)
        yield state.found(), state.settled(), ended
        state.reset(ended)
