"""What holds for every search of `COMPONENTS`, also for one that is new there."""

import itertools
import math

import pytest
import torch

from asrkit.decoding.fusion.fusion import Fusion
from asrkit.pipeline.components import COMPONENTS
from asrkit.utils.errors import InputError
from tests.numerics.search_reference import (
    Bigram,
    ctc_paths,
    encode,
    log_probs_after,
    make_model,
)
from tests.unit.decoding import k2_stand_in

V = 4
HAT = pytest.mark.parametrize("hat", [False, True], ids=["softmax", "hat"])
SCALE = pytest.mark.parametrize("scale", [0.0, 0.5], ids=["alone", "fused"])
EVERY = pytest.mark.parametrize("kind", COMPONENTS["decode"], ids=lambda cls: cls.name)


@pytest.fixture(autouse=True)
def _k2(monkeypatch):
    monkeypatch.setattr(
        "asrkit.decoding.fast_beam_search.import_k2", lambda: k2_stand_in
    )


def build(kind, scale, **options):
    """Make a search with all its hypotheses, and a language model of some weight."""
    if kind.has_beam:
        options |= {"beam": 4, "nbest": 4}
    fusion = Fusion([(Bigram(), scale)] if scale else [])
    try:
        return kind(**options).build(fusion)
    except InputError as error:
        if scale:
            pytest.skip(str(error))
        raise


def transducer_bounds(model, enc_out, tokens, frames, blank_penalty, *, stays):
    """Return the score of the path with labels in these frames, and that of all."""
    after = [
        log_probs_after(model, enc_out, tokens[:u], blank_penalty)
        for u in range(len(tokens) + 1)
    ]
    T, alpha = len(enc_out), {(0, 0): 0.0}
    for u, t in itertools.product(range(len(tokens) + 1), range(T + 1)):
        ways = [alpha[t, u]] if (t, u) in alpha else []
        if t and (t - 1, u) in alpha:
            ways.append(alpha[t - 1, u] + float(after[u][t - 1, 0]))
        before = t if stays else t - 1
        if u and 0 <= before < T and (before, u - 1) in alpha:
            label = after[u - 1][before, tokens[u - 1]]
            ways.append(alpha[before, u - 1] + float(label))
        if ways:
            alpha[t, u] = float(torch.tensor(ways, dtype=torch.float64).logsumexp(0))
    path = sum(float(after[u][frames[u], label]) for u, label in enumerate(tokens))
    for t in range(T):
        if stays or t not in frames:
            path += float(after[sum(f <= t for f in frames)][t, 0])
    return path, alpha.get((T, len(tokens)), -math.inf)


def ctc_bounds(model, enc_out, tokens, frames, blank_penalty):
    """Return the score of the best path with labels in these frames, and of all."""
    scores = [
        (first, score)
        for text, first, score in ctc_paths(model, enc_out, blank_penalty)
        if text == tuple(tokens)
    ]
    total = torch.tensor([score for _, score in scores], dtype=torch.float64)
    return (
        max(score for first, score in scores if first == frames),
        float(total.logsumexp(dim=0)),
    )


@EVERY
@HAT
@SCALE
@pytest.mark.parametrize("penalty", [0.0, 1.0])
@pytest.mark.parametrize("seed", range(3))
def test_a_score_is_of_paths_of_its_text(kind, hat, scale, penalty, seed):
    """It is no less than the path's that its frames tell, no more than all paths'."""
    model, enc_out, lm = make_model(V, seed, hat=hat), encode(5), Bigram()
    search = build(kind, scale, blank_penalty=penalty)
    (found,) = search(model, enc_out, torch.tensor([5]))
    assert found == sorted(found, key=lambda one: -one.score)
    texts = [tuple(one.tokens) for one in found]
    assert len(set(texts)) == len(texts) == (4 if kind.has_beam else 1)
    fits = {True: True, False: True}  # labels that stay in their frame, that leave it
    for one, text in zip(found, texts, strict=True):
        assert len(one.frames) == len(one.confidences) == len(text)
        assert one.frames == sorted(one.frames)
        assert all(0 <= p <= 1 for p in one.confidences)
        arcs = [*((text[:u], label) for u, label in enumerate(text)), (text, None)]
        score = one.score - scale * sum(lm.by_text(*arc) for arc in arcs)
        there = model, enc_out[0], text, one.frames, penalty
        for stays in fits:
            low, high = (
                ctc_bounds(*there)
                if kind.needs == "ctc"
                else transducer_bounds(*there, stays=stays)
            )
            fits[stays] &= low - 1e-4 <= score <= high + 1e-4
    assert any(fits.values())


@EVERY
@HAT
@SCALE
@pytest.mark.parametrize("prune", [None, 0.5], ids=["", "pruned"])
def test_a_result_does_not_depend_on_its_batch(kind, hat, scale, prune):
    if prune and not hasattr(kind, "prune"):
        pytest.skip("it does not prune")
    search = build(kind, scale, **({"prune": prune} if prune else {}))
    model = make_model(V, hat=hat)
    lens = torch.tensor([12, 1, 30, 7, 0])
    enc_out = encode(30).repeat(5, 1, 1)
    enc_out += torch.arange(5)[:, None, None]
    for b, T in enumerate(lens.tolist()):
        enc_out[b, T:] = 1e4
    together = search(model, enc_out, lens)
    for b, T in enumerate(lens.tolist()):
        alone = search(model, enc_out[b : b + 1, : max(T, 1)], lens[b : b + 1])[0]
        for one, other in zip(together[b], alone, strict=True):
            assert one.tokens == other.tokens
            assert one.frames == other.frames
            assert one.score == pytest.approx(other.score, abs=1e-5)
    assert together[4][0].tokens == []
