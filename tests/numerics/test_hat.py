"""A joiner with a sigmoid for blank: what is trained with it is decoded with it."""

import pytest
import torch

from asrkit.decoding.beam_search import BeamSearch
from asrkit.decoding.greedy import GreedySearch
from asrkit.decoding.modified_beam_search import ModifiedBeamSearch
from asrkit.losses.criterion import Encoded
from asrkit.losses.fused import FusedLossConfig
from asrkit.losses.viterbi import ViterbiLossConfig
from asrkit.models.joiner import JoinerConfig
from asrkit.transducer.frame_wise import compact_labels
from asrkit.transducer.rules import Topology
from tests.numerics.search_reference import make_model

V, B, T, U = 12, 4, 14, 6


def make_batch():
    """Draw utterances whose labels come two frames apart."""
    torch.manual_seed(0)
    alignment = torch.zeros(B, T, dtype=torch.int64)
    alignment[:, 1 : 2 * U : 2] = torch.randint(1, V, (B, U))
    tokens, token_lens = compact_labels(alignment)
    enc_lens = torch.full((B,), T)
    enc_out = torch.randn(B, T, 8)
    return Encoded(enc_out, enc_lens, tokens, token_lens, alignment=alignment)


def learn(config, batch, updates=120):
    """Learn a batch by heart, without an encoder."""
    model = make_model(V, hat=True).float()
    model.joiner = JoinerConfig(dim=64, hat=True).build(8, 8, V)
    criterion = config.build(model)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(updates):
        optimizer.zero_grad()
        loss = criterion(model, batch).loss
        loss.backward()
        optimizer.step()
    return model, float(loss.detach()) / B


def errors(search, model, batch):
    """Count utterances that are found wrongly."""
    found = search(model, batch.enc_out, batch.enc_lens)
    pairs = zip(found, batch.tokens.tolist(), strict=True)
    return sum(nbest[0].tokens != text for nbest, text in pairs)


@pytest.mark.parametrize(
    ("config", "searches"),
    [
        (
            FusedLossConfig(weights={"transducer": 1.0}),
            [GreedySearch(3), BeamSearch(4)],
        ),
        (
            FusedLossConfig(weights={"transducer": 1.0}, topology=Topology.MONOTONIC),
            [GreedySearch(1), ModifiedBeamSearch(4)],
        ),
        (
            ViterbiLossConfig(weights={"transducer": 1.0}, label_smoothing=0.0),
            [GreedySearch(1), ModifiedBeamSearch(4)],
        ),
    ],
    ids=["regular", "monotonic", "viterbi"],
)
def test_what_is_learnt_by_heart_is_found(config, searches):
    batch = make_batch()
    model, loss = learn(config, batch)
    assert loss < 0.5
    for search in searches:
        assert errors(search, model, batch) == 0
    # One softmax over all is another model.
    model.joiner.hat = False
    assert errors(searches[0], model, batch) > 0


@pytest.mark.parametrize("hat", [False, True])
def test_the_distribution_is_one(hat):
    joiner = JoinerConfig(dim=8, hat=hat).build(4, 4, V).double()
    enc, pred = torch.randn(3, 1, 8).double(), torch.randn(5, 8).double()
    found = joiner.log_probs(enc, pred)
    assert found.shape == (3, 5, V)
    torch.testing.assert_close(found.exp().sum(-1), torch.ones(3, 5).double())
    labels = joiner.label_log_probs(enc, pred)
    some = (1 - found[..., :1].exp()).log()
    torch.testing.assert_close(labels, found[..., 1:] - some)


def test_a_blank_penalty_is_taken_from_the_logit():
    joiner = JoinerConfig(dim=8, hat=True).build(4, 4, V)
    enc, pred = torch.randn(3, 8), torch.randn(3, 8)
    found = joiner.log_probs(enc, pred, blank_penalty=1.5)
    with torch.no_grad():
        joiner.output.bias[0] -= 1.5
    torch.testing.assert_close(found, joiner.log_probs(enc, pred))


@pytest.mark.parametrize("hat", [False, True])
def test_log_probs_are_float32_in_autocast(hat):
    joiner = JoinerConfig(dim=8, hat=hat).build(4, 4, V)
    enc, pred = torch.randn(3, 8), torch.randn(3, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = joiner(enc, pred)
        found = joiner.log_probs(enc, pred)
    assert (logits.dtype, found.dtype) == (torch.bfloat16, torch.float32)
    assert found.exp().sum(-1).tolist() == pytest.approx([1.0] * 3, abs=1e-6)
