"""Beam search from chunk to chunk: what it gives for the whole stream."""

import itertools

import numpy as np
import pytest
import torch

from asrkit.decoding import joint
from asrkit.decoding.fusion.biasing import PhraseBoost
from asrkit.decoding.fusion.fusion import Fusion
from asrkit.decoding.modified_beam_search import ModifiedBeamSearch
from asrkit.decoding.trace import Trace
from asrkit.models.lm.ngram_lm import NgramLm
from asrkit.models.lm.transformer_lm import TransformerLmConfig
from asrkit.text.ngram.kneser_ney import train_kneser_ney
from tests.numerics.search_reference import Bigram, encode, make_model, transducer_texts
from tests.numerics.streams import advance, exact_model, feed_cut_up, feed_queued

V = 4


def no_fusion():
    return Fusion([])


def ngram_and_phrases():
    sentences = torch.randint(1, V, (30, 6), generator=torch.Generator().manual_seed(1))
    lm = NgramLm(train_kneser_ney(sentences.tolist(), V, order=3), V)
    phrases = PhraseBoost([[3, 3, 2], [2, 1]], [1.0, 0.5], V)
    return Fusion([(lm, 0.5), (phrases, 1.0)])


def transformer():
    torch.manual_seed(2)
    config = TransformerLmConfig(num_layers=1, dim=8, num_heads=2, ff_dim=8)
    return Fusion([(config.build(V).eval(), 0.5), (Bigram(), 0.3)])


FUSIONS = pytest.mark.parametrize("fuse", [no_fusion, ngram_and_phrases, transformer])


def whole(search, model, enc_out):
    """Search one stream (T, D) at once."""
    (nbest,) = search(model, enc_out[None], torch.tensor([len(enc_out)]))
    return nbest


def assert_equal(found, expected):
    """Compare lists of hypotheses; a language model may round otherwise in batches."""
    assert [one.tokens for one in found] == [one.tokens for one in expected]
    for one, other in zip(found, expected, strict=True):
        assert one.frames == other.frames
        assert one.confidences == pytest.approx(other.confidences, abs=1e-6)
        assert one.score == pytest.approx(other.score, abs=1e-4)


@FUSIONS
@pytest.mark.parametrize("prune", [float("inf"), 2.0])
def test_every_split_finds_the_same(fuse, prune):
    T = 7
    model, enc_out = exact_model(), encode(T)[0]
    search = ModifiedBeamSearch(4, 3, prune=prune, fusion=fuse())
    expected = whole(search, model, enc_out)
    assert len(expected[0].tokens) > 3
    splits = list(itertools.product([False, True], repeat=T - 1))
    state = search.start(model, len(splits))
    feed_cut_up(state, enc_out, splits)
    for found in state.found():
        assert_equal(found, expected)


@pytest.mark.parametrize("penalty", [0.0, 1.0])
def test_a_stream_sums_all_paths(penalty):
    model, enc_out, lm = make_model(V, 3), encode(6), Bigram()
    expected = transducer_texts(
        model, enc_out[0], 1, stays=False, fused=lm.by_text, blank_penalty=penalty
    )
    fusion = Fusion([(lm, 1.0)])
    search = ModifiedBeamSearch(4000, 20, blank_penalty=penalty, fusion=fusion)
    state = search.start(model, 1)
    for part in enc_out[0].split([1, 3, 2]):
        advance(state, [part])
    (found,) = state.found()
    for one, (text, score) in zip(found, expected, strict=False):
        assert tuple(one.tokens) == text
        assert one.score == pytest.approx(score, abs=1e-4)


@FUSIONS
@pytest.mark.parametrize("hat", [False, True])
@pytest.mark.parametrize("penalty", [0.0, 2.0])
def test_streams_begin_and_end_when_they_like(fuse, hat, penalty):
    model, search = (
        exact_model(hat=hat),
        ModifiedBeamSearch(4, 4, prune=6.0, blank_penalty=penalty, fusion=fuse()),
    )
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
    early = 0  # labels that were settled before their streams ended
    for nbests, settled, ended in feed_queued(state, queued, generator):
        for row, (nbest, count) in enumerate(zip(nbests, settled, strict=True)):
            # All hypotheses begin with what is settled, and never lose it again.
            assert {tuple(one.tokens[:count]) for one in nbest} == {
                tuple(nbest[0].tokens[:count])
            }
            longer = {tuple(one.tokens[: count + 1]) for one in nbest}
            assert len(longer) > 1 or longer == {tuple(nbest[0].tokens[:count])}
            assert nbest[0].tokens[: len(before[row])] == before[row]
            early += count - len(before[row]) if row not in ended else 0
            before[row] = nbest[0].tokens[:count]
            if row in ended:
                found[row].append(nbest)
                before[row] = []
    for row, others in zip(found, expected, strict=True):
        for nbest, other in zip(row, others, strict=True):
            assert_equal(nbest, other)
    assert early


def test_a_stream_that_has_not_begun_says_nothing():
    state = ModifiedBeamSearch(4, 4).start(exact_model(), 2)
    advance(state, [encode(20)[0], None])
    first, (second,) = state.found()
    assert first[0].tokens
    assert (second.tokens, second.frames, second.score) == ([], [], 0.0)
    assert state.settled()[1] == 0


def test_contexts_are_forgotten_and_learnt_again(monkeypatch):
    model, enc_out = exact_model(), encode(60)[0]
    search = ModifiedBeamSearch(4, 4)
    expected = whole(search, model, enc_out)
    monkeypatch.setattr(joint, "_REMEMBERED", 3)
    state, most = search.start(model, 1), 0
    for part in enc_out.split(5):
        advance(state, [part])
        most = max(most, len(state.joint.learnt))
    assert most < V**2  # all contexts that there are
    assert_equal(state.found()[0], expected)


def test_what_is_kept_does_not_grow_with_dropped_hypotheses():
    model, enc_out = exact_model(), encode(400)[0]
    state = ModifiedBeamSearch(4, 4).start(model, 1)
    for part in enc_out.split(8):
        advance(state, [part])
    state.reset([0])
    advance(state, [enc_out[:1]])
    assert len(state.trace) <= 1 + (V - 1)


def test_a_trace_keeps_what_it_is_asked_to():
    rng = np.random.default_rng(0)
    trace, ends = Trace(), np.zeros(1, dtype=np.int64)
    for t in range(30):
        parents = rng.choice(ends, size=5)
        nodes = trace.add(parents, rng.integers(1, 9, 5), np.full(5, t), rng.random(5))
        ends = np.append(nodes, parents[:2])
    kept = rng.choice(ends, size=4)
    expected = trace.unroll(kept)
    before = len(trace)
    renamed = trace.keep(kept)
    assert trace.unroll(renamed) == expected
    longest = max(len(labels) for labels, _, _ in expected)
    assert longest <= len(trace) - 1 <= sum(len(labels) for labels, _, _ in expected)
    assert len(trace) < before
    (more,) = trace.add(renamed[:1], np.array([7]), np.array([30]), np.zeros(1))
    (path,) = trace.unroll(np.array([more]))
    assert path[0] == [*expected[0][0], 7]
