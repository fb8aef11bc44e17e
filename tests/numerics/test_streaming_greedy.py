"""Greedy search from chunk to chunk: what it gives for the whole stream, bit by bit."""

import itertools

import pytest
import torch

from asrkit.decoding.fusion.fusion import Fusion
from asrkit.decoding.greedy import GreedySearch
from tests.numerics.search_reference import Bigram, encode
from tests.numerics.streams import advance, exact_model, feed_cut_up, feed_queued


def whole(search, model, enc_out):
    """Search one stream (T, D) at once."""
    (nbest,) = search(model, enc_out[None], torch.tensor([len(enc_out)]))
    return nbest[0]


def test_every_split_finds_the_same():
    T = 9  # longer than the window of a step
    model, enc_out, search = exact_model(), encode(T)[0], GreedySearch(2)
    expected = whole(search, model, enc_out)
    assert len(expected.tokens) > 4
    splits = list(itertools.product([False, True], repeat=T - 1))
    state = search.start(model, len(splits))
    feed_cut_up(state, enc_out, splits)
    assert state.found() == [[expected]] * len(splits)


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
    found, before = [[] for _ in queued], [[] for _ in queued]
    state, generator = (
        search.start(model, len(queued)),
        torch.Generator().manual_seed(5),
    )
    for nbests, settled, ended in feed_queued(state, queued, generator):
        for row, (one,) in enumerate(nbests):
            assert one.tokens[: len(before[row])] == before[row]  # it only grows
            assert settled[row] == len(one.tokens)
            before[row] = one.tokens
            if row in ended:
                found[row].append(one)
                before[row] = []
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
    (first,), (second,) = state.found()
    assert first.tokens
    assert (second.tokens, second.frames, second.score) == ([], [], 0.0)
