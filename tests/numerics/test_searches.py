"""Searches against the sum over all paths."""

import pytest
import torch

from asrkit.decoding.beam_search import BeamSearch
from asrkit.decoding.ctc_beam import CtcBeamSearch
from asrkit.decoding.ctc_greedy import CtcGreedySearch
from asrkit.decoding.fusion.biasing import PhraseBoost
from asrkit.decoding.fusion.fusion import Fusion
from asrkit.decoding.fusion.internal_lm import InternalLm
from asrkit.decoding.greedy import GreedySearch
from asrkit.decoding.modified_beam_search import ModifiedBeamSearch
from tests.numerics.search_reference import (
    Bigram,
    ctc_texts,
    encode,
    greedy_text,
    log_probs_after,
    make_model,
    transducer_texts,
)
from tests.numerics.torchaudio_beam import torchaudio_beam

V = 4
WIDE = 400  # more than there are texts
HAT = pytest.mark.parametrize("hat", [False, True], ids=["softmax", "hat"])


def run(search, model, enc_out):
    return search(model, enc_out, torch.tensor([enc_out.shape[1]]))[0]


def assert_nbest(found, expected, nbest=20):
    assert len(found) == min(len(expected), nbest)
    for one, (text, score) in zip(found, expected[:nbest], strict=True):
        assert tuple(one.tokens) == text
        assert one.score == pytest.approx(score, abs=1e-4)
        assert len(one.frames) == len(one.confidences) == len(text)
        assert one.frames == sorted(one.frames)
        assert all(0 <= p <= 1 for p in one.confidences)


@HAT
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("scale", [0.0, 0.5])
@pytest.mark.parametrize("blank_penalty", [0.0, 1.0])
def test_a_wide_modified_beam_finds_the_best_texts_of_all(
    seed, scale, blank_penalty, hat
):
    model, enc_out, lm = make_model(V, seed, hat=hat), encode(4), Bigram()
    options = {"blank_penalty": blank_penalty}
    expected = transducer_texts(
        model, enc_out[0], 1, stays=False,
        fused=lambda *at: scale * lm.by_text(*at), **options,
    )  # fmt: skip
    fusion = Fusion([(lm, scale)] if scale else [])
    search = ModifiedBeamSearch(WIDE, 20, fusion=fusion, **options)
    assert_nbest(run(search, model, enc_out), expected)


@HAT
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("scale", [0.0, 0.5])
@pytest.mark.parametrize("blank_penalty", [0.0, 1.0])
def test_a_wide_beam_finds_the_best_texts_of_all(seed, scale, blank_penalty, hat):
    model, enc_out, lm = make_model(3, seed, hat=hat), encode(3), Bigram(3)
    options = {"blank_penalty": blank_penalty}
    expected = transducer_texts(
        model, enc_out[0], 2, stays=True,
        fused=lambda *at: scale * lm.by_text(*at), **options,
    )  # fmt: skip
    fusion = Fusion([(lm, scale)] if scale else [])
    search = BeamSearch(WIDE, 20, max_symbols=2, fusion=fusion, **options)
    assert_nbest(run(search, model, enc_out), expected)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("scale", [0.0, 0.5])
@pytest.mark.parametrize("blank_penalty", [0.0, 1.0])
def test_a_wide_ctc_beam_finds_the_best_texts_of_all(seed, scale, blank_penalty):
    model, enc_out, lm = make_model(V, seed), encode(5), Bigram()

    def fused(text):
        arcs = [(text[:u], label) for u, label in enumerate(text)]
        return scale * sum(lm.by_text(*arc) for arc in [*arcs, (text, None)])

    texts = ctc_texts(model, enc_out[0], blank_penalty)
    expected = [(text, score + fused(text)) for text, score in texts]
    expected.sort(key=lambda one: -one[1])
    fusion = Fusion([(lm, scale)] if scale else [])
    search = CtcBeamSearch(WIDE, 20, blank_penalty=blank_penalty, fusion=fusion)
    assert_nbest(run(search, model, enc_out), expected)


@HAT
@pytest.mark.parametrize(
    ("max_symbols", "penalty"), [(1, 0.0), (2, 0.0), (10, 0.0), (2, 1.0)]
)
@pytest.mark.parametrize("scale", [0.0, 0.5])
@pytest.mark.parametrize("seed", range(3))
def test_greedy_takes_the_best_arc(max_symbols, penalty, scale, seed, hat):
    model, enc_out, lm = make_model(V, seed, hat=hat), encode(20), Bigram()
    fused = (lambda *at: scale * lm.by_text(*at)) if scale else None
    text, frames, score = greedy_text(model, enc_out[0], max_symbols, fused, penalty)
    fusion = Fusion([(lm, scale)] if scale else [])
    search = GreedySearch(max_symbols, blank_penalty=penalty, fusion=fusion)
    (found,) = run(search, model, enc_out)
    assert (tuple(found.tokens), found.frames) == (text, frames)
    assert found.score == pytest.approx(score, abs=1e-4, rel=1e-5)  # float32
    if found.tokens:
        here = log_probs_after(model, enc_out[0], text[:-1], penalty)
        here = here[frames[-1], text[-1]]
        assert found.confidences[-1] == pytest.approx(float(here.exp()), abs=1e-6)


def test_greedy_of_nothing_but_blank_is_empty():
    model = make_model(V)
    with torch.no_grad():
        model.joiner.output.bias[0] += 1000
    found = GreedySearch(3)(model, encode(20).repeat(2, 1, 1), torch.tensor([20, 5]))
    assert [nbest[0].tokens for nbest in found] == [[], []]


def test_ctc_greedy_merges_repeats_and_drops_blank():
    model = make_model(6)
    path = torch.tensor(
        [[0, 2, 2, 0, 2, 3, 3, 1, 0, 4], [5, 5, 0, 0, 1, 1, 1, 1, 1, 1]]
    )
    model.ctc_head = torch.nn.Identity()
    logits = torch.nn.functional.one_hot(path, 6).float()
    (first,), (second,) = CtcGreedySearch()(model, logits, torch.tensor([10, 4]))
    assert (first.tokens, first.frames) == ([2, 2, 3, 1, 4], [1, 4, 5, 7, 9])
    assert second.tokens == [5]
    best = float(torch.tensor([1.0, 0, 0, 0, 0, 0]).log_softmax(dim=0)[0])
    assert first.score == pytest.approx(10 * best, abs=1e-5)
    assert second.score == pytest.approx(4 * best, abs=1e-5)


@HAT
@pytest.mark.parametrize("seed", range(5))
def test_a_modified_beam_of_one_is_greedy_with_one_label_a_frame(seed, hat):
    model, enc_out = make_model(V, seed, hat=hat), encode(30)
    (greedy,) = run(GreedySearch(1), model, enc_out)
    (beam,) = run(ModifiedBeamSearch(1), model, enc_out)
    # After a label greedy asks the same frame again, the beam the next one.
    text, t = (), 0
    for t in range(30):
        best = int(log_probs_after(model, enc_out[0], text)[t].argmax())
        text = (*text, best) if best else text
    assert tuple(beam.tokens) == text
    assert beam.tokens == greedy.tokens


@pytest.mark.parametrize("search", [BeamSearch, ModifiedBeamSearch])
def test_what_is_much_worse_than_the_best_is_dropped(search):
    model, enc_out = make_model(V, 6), encode(12)
    everything = run(search(8, 8), model, enc_out)
    assert len(everything) == 8
    for prune in (0.3, 0.9):
        found = run(search(8, 8, prune=prune), model, enc_out)
        assert len(found) < 8
        assert all(one.score >= found[0].score - prune - 1e-4 for one in found)
    (strict, *_) = run(search(8, 8, prune=0.3), model, enc_out)
    assert strict.score < everything[0].score - 0.1  # paths are missing
    assert run(search(8, 8, prune=100.0), model, enc_out) == everything


def test_frames_are_those_of_the_best_path():
    model, enc_out = make_model(V, 1), encode(6)
    (found,) = run(ModifiedBeamSearch(50), model, enc_out)
    # One label a frame: the best alignment of the text, by trying all.
    import itertools

    best = None
    for frames in itertools.combinations(range(6), len(found.tokens)):
        score, text = 0.0, ()
        for t in range(6):
            here = log_probs_after(model, enc_out[0], text)[t]
            label = found.tokens[len(text)] if t in frames else 0
            score += float(here[label])
            text = (*text, label) if label else text
        if best is None or score > best[0]:
            best = score, list(frames)
    assert found.frames == best[1]


@HAT
def test_the_internal_lm_sees_no_audio(hat):
    model = make_model(V, hat=hat).float()
    lm = InternalLm(model)
    state = lm.start(2, torch.device("cpu"))
    state = lm.advance(state, torch.tensor([1, 3]))
    state = lm.advance(state, torch.tensor([2, 0]))
    scores = lm.scores(state)
    silence = torch.zeros(1, 8)
    for row, text in zip(scores, ([1, 2], [3]), strict=True):
        joint = log_probs_after(model, silence, text)[0, 1:]
        torch.testing.assert_close(row[1:], joint - joint.logsumexp(dim=0))
        assert row[0] == 0


def test_every_occurrence_of_a_phrase_is_rewarded():
    generator = torch.Generator().manual_seed(0)
    phrases = [[1, 2], [2, 3], [1, 2, 3, 1], [3], [2, 2, 1]]
    boosts = [1.0, 2.0, 0.5, 0.25, 3.0]
    boost = PhraseBoost(phrases, boosts, V)
    texts = torch.randint(0, V, (50, 12), generator=generator)
    state = boost.start(50, torch.device("cpu"))
    total = torch.zeros(50)
    for labels in texts.T:
        total += boost.scores(state).gather(1, labels[:, None])[:, 0]
        state = boost.advance(state, labels)
    total += boost.final(state)
    for row, found in zip(texts.tolist(), total.tolist(), strict=True):
        text = [label for label in row if label]
        expected = sum(
            one * len(phrase)
            for phrase, one in zip(phrases, boosts, strict=True)
            for i in range(len(text))
            if text[i : i + len(phrase)] == phrase
        )
        assert found == pytest.approx(expected, abs=1e-4)


def test_a_boosted_phrase_is_found():
    model, enc_out = make_model(V, 2), encode(10)
    (plain,) = run(ModifiedBeamSearch(8), model, enc_out)
    phrase = [3, 3, 2]
    assert str(phrase)[1:-1] not in str(plain.tokens)
    fusion = Fusion([(PhraseBoost([phrase], [20.0], V), 1.0)])
    for search in (
        ModifiedBeamSearch(8, fusion=fusion),
        GreedySearch(2, fusion=fusion),
    ):
        (found,) = run(search, model, enc_out)
        assert str(phrase)[1:-1] in str(found.tokens)


@pytest.mark.parametrize("seed", range(3))
def test_torchaudio_finds_the_same(seed):
    model, enc_out = make_model(6, seed), encode(12)
    theirs = torchaudio_beam(model, enc_out[0], 4, max_symbols=3)
    found = run(BeamSearch(4, 4, max_symbols=3), model, enc_out)
    assert found[0].tokens == theirs[0][0]
    assert found[0].score == pytest.approx(theirs[0][1], abs=0.05)
