"""The search by k2: what can be said without k2."""

import importlib.util

import pytest

from asrkit.decoding.fast_beam_search import FastBeamSearchConfig, read_path
from asrkit.decoding.fusion.fusion import Fusion
from asrkit.decoding.fusion.internal_lm import InternalLm
from asrkit.utils.errors import InputError


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
