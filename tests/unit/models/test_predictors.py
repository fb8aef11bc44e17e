"""Predictors: rows of a transcript against the labels before them, one by one."""

import pytest
import torch

from asrkit.models.feed_forward_predictor import FeedForwardPredictorConfig
from asrkit.models.predictor import PredictorConfig

V = 7
CONFIGS = [PredictorConfig, FeedForwardPredictorConfig]


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("context_size", [1, 2])
def test_every_row_sees_the_labels_before_it(config, context_size):
    torch.manual_seed(0)
    predictor = config(dim=6, context_size=context_size, dropout=0.0).build(V)
    tokens = torch.randint(1, V, (3, 5))
    rows = predictor(tokens)
    assert rows.shape == (3, 6, 6)
    padded = torch.cat([torch.zeros(3, context_size, dtype=torch.int64), tokens], dim=1)
    for u in range(6):
        seen = padded[:, u : u + context_size]
        torch.testing.assert_close(rows[:, u], predictor.after(seen))
    others = tokens.clone()
    others[:, 2] = others[:, 2] % (V - 1) + 1
    changed = (predictor(others) != rows).any(dim=2).all(dim=0)
    assert changed.tolist() == [u in range(3, 3 + context_size) for u in range(6)]


def test_the_feed_forward_layers_are_those_of_the_paper():
    predictor = FeedForwardPredictorConfig(dropout=0.0).build(79)
    shapes = [tuple(p.shape) for p in predictor.parameters()]
    assert shapes == [(79, 128), (640, 128), (640,), (640, 640), (640,)]
    first, second = predictor.layers
    label = torch.tensor([[5]])
    expected = second(first(predictor.embedding.weight[5]).tanh()).tanh()
    torch.testing.assert_close(predictor.after(label)[0], expected)
    # An utterance begins with the zero vector.
    nothing = second(first.bias.tanh()).tanh()
    torch.testing.assert_close(predictor(label)[0, 0], nothing)
