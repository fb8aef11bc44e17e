"""What a vocabulary sample holds, and how likely a token is to be in it."""

import pytest
import torch

from asrkit.transducer.sampling import sample_vocabulary


def make_batch(B=4, U=5, V=50):
    tokens = torch.randint(1, V, (B, U))
    token_lens = torch.randint(0, U + 1, (B,))
    tokens[torch.arange(U) >= token_lens[:, None]] = V + 7  # padding may be anything
    return tokens, token_lens


@pytest.mark.parametrize("scope", ["batch", "utterance"])
def test_blank_and_labels_are_always_in_it(scope):
    tokens, token_lens = make_batch()
    vocabulary = sample_vocabulary(tokens, token_lens, 50, 6, scope=scope)
    rows = vocabulary.ids.expand(4, -1)
    places = vocabulary.positions(tokens)
    for b in range(4):
        ids = rows[b].tolist()
        assert ids == sorted(set(ids))
        assert ids[0] == 0
        labels = tokens[b, : token_lens[b]]
        assert rows[b][places[b, : token_lens[b]]].tolist() == labels.tolist()
    positive = {0, *(t for b in range(4) for t in tokens[b, : token_lens[b]].tolist())}
    if scope == "batch":
        assert len(vocabulary.ids) == len(positive) + 6


def test_inclusion_probabilities_make_sums_unbiased():
    """Sums over the sample, divided by P(drawn), are unbiased (Vieira, 2017)."""
    V = 12
    proposal = torch.rand(V) + 0.05
    values = torch.rand(V, dtype=torch.float64)
    tokens, token_lens = torch.tensor([[3]]), torch.tensor([1])
    generator = torch.Generator().manual_seed(0)
    estimates = []
    for _ in range(6000):
        sample = sample_vocabulary(
            tokens, token_lens, V, 3, proposal=proposal, generator=generator
        )
        weights = sample.log_inclusion.double().exp()
        estimates.append((values[sample.ids] / weights).sum())
    found = torch.stack(estimates)
    error = found.std() / len(found) ** 0.5
    assert abs(found.mean() - values.sum()) < 4 * error


def test_likely_tokens_are_drawn_more_often():
    proposal = torch.full((20,), 0.01)
    proposal[7] = 10.0
    tokens, token_lens = torch.tensor([[1]]), torch.tensor([1])
    drawn = [
        7 in sample_vocabulary(tokens, token_lens, 20, 1, proposal=proposal).ids
        for _ in range(50)
    ]
    assert sum(drawn) > 40


@pytest.mark.parametrize(
    ("change", "message"),
    [({"num_samples": -1}, "negative"), ({"proposal": torch.ones(3)}, "proposal")],
)
def test_bad_arguments_are_named(change, message):
    arguments = {"num_samples": 3, **change}
    with pytest.raises(ValueError, match=message):
        sample_vocabulary(*make_batch(), 50, **arguments)
