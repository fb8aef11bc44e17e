"""The search by k2: what can be said without k2, with a stand-in of its interface."""

import functools
import importlib.util
import itertools
import math

import pytest
import torch

from asrkit.decoding.fast_beam_search import (
    FastBeamSearch,
    FastBeamSearchConfig,
    read_path,
)
from asrkit.decoding.fusion.fusion import Fusion
from asrkit.decoding.fusion.internal_lm import InternalLm
from asrkit.utils.errors import InputError
from tests.numerics.search_reference import log_probs_after, make_model
from tests.unit.decoding import k2_stand_in


def test_a_path_has_an_arc_a_frame_and_one_that_ends_it():
    found = read_path([0, 5, 0, 3, -1], [-0.1, -0.5, -0.2, -0.7, 0.0], -1.5)
    assert found.tokens == [5, 3]
    assert found.frames == [1, 3]
    assert found.confidences == pytest.approx([0.6065, 0.4966], abs=1e-4)
    assert found.score == -1.5


@pytest.mark.skipif(importlib.util.find_spec("k2"), reason="k2 is installed")
def test_without_k2_the_message_says_what_to_do():
    with pytest.raises(InputError, match="needs k2"):
        FastBeamSearchConfig().build()


def test_nothing_is_fused_with_a_graph():
    fusion = Fusion([(InternalLm(None), 0.1)])
    with pytest.raises(InputError, match=r"language model as decode.graph"):
        FastBeamSearchConfig().build(fusion)


def best_path(model, enc_out, blank_penalty):
    """Try all paths of one token or blank a frame: (labels, frames, score)."""
    after = functools.cache(
        lambda text: log_probs_after(model, enc_out, text, blank_penalty).tolist()
    )
    best = None
    for path in itertools.product(range(model.vocab_size), repeat=len(enc_out)):
        text, score = (), 0.0
        for t, label in enumerate(path):
            score += after(text)[t][label]
            text = (*text, label) if label else text
        if best is None or score > best[2]:
            best = text, [t for t, label in enumerate(path) if label], score
    return best


WIDE = {"beam": 1e9, "max_contexts": 1000, "max_states": 1000}
NARROW = {"beam": 0.3, "max_contexts": 20, "max_states": 20}


def make_search(limits, blank_penalty=0.0):
    return FastBeamSearch(k2_stand_in, None, blank_penalty=blank_penalty, limits=limits)


@pytest.mark.parametrize("hat", [False, True])
@pytest.mark.parametrize("blank_penalty", [0.0, 1.0])
@pytest.mark.parametrize("seed", range(3))
def test_with_a_stand_in_of_k2_it_finds_the_best_path_of_all(seed, blank_penalty, hat):
    model = make_model(4, seed, hat=hat).float()
    enc_lens = torch.tensor([5, 1, 0, 3])
    with torch.inference_mode():  # as recognizers encode
        enc_out = 2 * torch.randn(4, 5, 8)
        for b, T in enumerate(enc_lens.tolist()):
            enc_out[b, T:] = 1e4
    found = make_search(WIDE, blank_penalty)(model, enc_out, enc_lens)
    for (one,), enc, T in zip(found, enc_out, enc_lens.tolist(), strict=True):
        text, frames, score = best_path(model, enc[:T], blank_penalty)
        assert (tuple(one.tokens), one.frames) == (text, frames)
        assert one.score == pytest.approx(score, abs=1e-4)
        heard = [
            float(log_probs_after(model, enc[:T], text[:u], blank_penalty)[t, text[u]])
            for u, t in enumerate(frames)
        ]
        assert one.confidences == pytest.approx([math.exp(x) for x in heard], abs=1e-5)


def test_padding_prunes_nothing_and_inference_mode_may_be_on():
    torch.manual_seed(0)
    enc_lens = torch.arange(60) % 12 + 1
    enc_out = torch.randn(60, 12, 8)  # the padding, too
    model = make_model(12, seed=2).float()
    search = make_search(NARROW)
    with torch.inference_mode():
        together = search(model, enc_out, enc_lens)
    for b, T in enumerate(enc_lens.tolist()):
        (alone,) = search(model, enc_out[b : b + 1, :T], enc_lens[b : b + 1])
        assert together[b][0].tokens == alone[0].tokens
        assert together[b][0].frames == alone[0].frames
        assert together[b][0].score == pytest.approx(alone[0].score, abs=1e-4)


@pytest.mark.parametrize("shape", [(0, 5, 8), (0, 0, 8), (2, 0, 8)])
def test_of_nothing_it_finds_nothing(shape):
    enc_lens = torch.zeros(shape[0], dtype=torch.int64)
    found = make_search(WIDE)(make_model().float(), torch.zeros(shape), enc_lens)
    assert [[one.tokens for one in nbest] for nbest in found] == [[[]]] * shape[0]
