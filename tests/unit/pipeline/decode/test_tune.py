"""Tuning: scores of whole texts against all paths, and the search over scales."""

import numpy as np
import pytest
import torch

from asrkit.decoding.search import Hypothesis
from asrkit.pipeline.decode.tune import NBestScores, score_lists, search_scales
from asrkit.transducer.rules import Topology
from tests.numerics.search_reference import make_model, transducer_texts


@pytest.mark.parametrize("hat", [False, True])
@pytest.mark.parametrize("blank_penalty", [0.0, 1.5])
def test_the_score_of_a_text_is_the_sum_over_its_paths(blank_penalty, hat):
    model = make_model(3, hat=hat)
    torch.manual_seed(0)
    enc_out = torch.randn(2, 3, 8, dtype=torch.float64)
    enc_lens = torch.tensor([3, 2])
    nbests, expected = [], []
    for b, T in enumerate(enc_lens.tolist()):
        # With three labels a frame all texts of up to two labels have all their paths.
        texts = transducer_texts(
            model, enc_out[b, :T], 3, stays=True, blank_penalty=blank_penalty
        )
        short = [(text, score) for text, score in texts if len(text) <= 2][: 4 + b]
        nbests.append([Hypothesis(list(text), [], [], 0.0) for text, _ in short])
        expected.append([score for _, score in short])
    found = score_lists(
        model, enc_out, enc_lens, nbests, blank_penalty, Topology.REGULAR
    )
    for row, target in zip(found, expected, strict=True):
        assert row == pytest.approx(target, abs=1e-5)


def test_the_best_combination_is_found():
    generator = np.random.default_rng(0)
    shape = (6, 4)
    lists = NBestScores(
        {p: generator.normal(size=shape) for p in (0.0, 1.0)},
        {name: generator.normal(size=shape) for name in ("lm", "ilm")},
        generator.integers(0, 5, size=shape),
        words=30,
    )
    lists.acoustic[1.0][0, 2:] = -np.inf
    scales = {"lm": [0.0, 0.5, 1.0], "ilm": [0.0, -0.5]}
    tried = search_scales(lists, scales)
    assert len(tried) == 2 * 3 * 2
    for one in tried:
        errors = 0
        for row in range(6):
            totals = [
                lists.acoustic[one.blank_penalty][row, k]
                + one.scales["lm"] * lists.added["lm"][row, k]
                + one.scales["ilm"] * lists.added["ilm"][row, k]
                for k in range(4)
            ]
            errors += lists.errors[row, totals.index(max(totals))]
        assert one.rate == pytest.approx(100 * errors / 30)
    assert tried[0].rate == min(one.rate for one in tried)
