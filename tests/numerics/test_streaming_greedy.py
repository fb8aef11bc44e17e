"""Greedy search from chunk to chunk: what it gives for the whole stream, bit by bit."""

import itertools

import pytest
import torch
from torch import nn

from asrkit.decoding.fusion.fusion import Fusion
from asrkit.decoding.greedy import GreedySearch
from tests.numerics.search_reference import Bigram, encode, make_model


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


def whole(search, model, enc_out):
    """Search one stream (T, D) at once."""
    (nbest,) = search(model, enc_out[None], torch.tensor([len(enc_out)]))
    return nbest[0]


def advance(state, parts):
    """Go on with frames of each stream, (T, D); None stands still."""
    some = next(part for part in parts if part is not None)
    parts = [some[:0] if part is None else part for part in parts]
    enc_out = nn.utils.rnn.pad_sequence(parts, batch_first=True, padding_value=9.0)
    state.advance(enc_out, torch.tensor([len(part) for part in parts]))


def test_every_split_finds_the_same():
    T = 9  # longer than the window of a step
    model, enc_out, search = exact_model(), encode(T)[0], GreedySearch(2)
    expected = whole(search, model, enc_out)
    assert len(expected.tokens) > 4
    splits = list(itertools.product([False, True], repeat=T - 1))
    state = search.start(model, len(splits))
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
    assert state.found() == [expected] * len(splits)


@pytest.mark.parametrize("hat", [False, True])
@pytest.mark.parametrize("max_symbols", [1, 3])
@pytest.mark.parametrize("penalty", [0.0, 2.0])
@pytest.mark.parametrize("scale", [0.0, 0.5])
def test_streams_begin_and_end_when_they_like(hat, max_symbols, penalty, scale):
    model = exact_model(hat=hat)
    fusion = Fusion([(Bigram(), scale)] if scale else [])
    search = GreedySearch(max_symbols, blank_penalty=penalty, fusion=fusion)
    # Of each row: streams one after another.
    queued = [
        [encode(n, seed)[0] for seed, n in enumerate(lens, 10 * row)]
        for row, lens in enumerate(([40, 3, 17], [1, 1, 60], [33]))
    ]
    expected = [[whole(search, model, one) for one in row] for row in queued]
    found, at = [[] for _ in queued], [0] * len(queued)
    state, before = search.start(model, len(queued)), [[] for _ in queued]
    generator = torch.Generator().manual_seed(5)
    while any(len(done) < len(row) for done, row in zip(found, queued, strict=True)):
        parts, ended = [None] * len(queued), []
        for row, streams in enumerate(queued):
            if len(found[row]) == len(streams):
                continue
            stream = streams[len(found[row])]
            until = at[row] + int(torch.randint(0, 12, (), generator=generator))
            parts[row] = stream[at[row] : until]
            at[row] = min(until, len(stream))
            if at[row] == len(stream):
                ended.append(row)
        advance(state, parts)
        for row, one in enumerate(state.found()):
            assert one.tokens[: len(before[row])] == before[row]  # it only grows
            before[row] = one.tokens
            if row in ended:
                found[row].append(one)
                at[row], before[row] = 0, []
        state.reset(ended)
    assert found == expected
    assert sum(len(one.tokens) for row in expected for one in row) > 20


def test_a_blank_penalty_is_heard():
    model, enc_out = exact_model(), encode(40)[0]
    counts = [
        len(whole(GreedySearch(1, blank_penalty=penalty), model, enc_out).tokens)
        for penalty in (-3.0, 3.0)
    ]
    assert counts[0] < counts[1]


def test_a_stream_that_has_not_begun_says_nothing():
    model = exact_model()
    state = GreedySearch(2).start(model, 2)
    advance(state, [encode(20)[0], None])
    first, second = state.found()
    assert first.tokens
    assert (second.tokens, second.frames, second.score) == ([], [], 0.0)
