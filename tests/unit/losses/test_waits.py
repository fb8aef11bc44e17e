"""A criterion doesn't look at values of tensors that the trainer made itself.

Each such look is a wait for a GPU. Here all tensors are on the CPU, and what would wait
is counted as it is called.
"""

from collections import Counter

import pytest
import torch

from asrkit.losses.criterion import Encoded
from asrkit.losses.full import FullLossConfig
from asrkit.losses.fused import FusedLossConfig
from asrkit.losses.pruned import PrunedLossConfig
from asrkit.losses.sampled import Proposal, SampledLossConfig
from asrkit.transducer import Topology, checks, pruned_loss
from asrkit.transducer.sampling import Scope
from tests.unit.losses.test_criteria import (
    compute,
    make_batch,
    make_model,
    with_features,
)

WAITS = ("item", "tolist", "nonzero", "unique", "cpu", "numpy", "masked_select")
WAITS += ("__bool__", "__int__", "__float__", "__index__")


@pytest.fixture
def waits(monkeypatch):
    """Count calls that have to know a tensor's values on the host."""
    found = Counter()

    def counted(name):
        method = getattr(torch.Tensor, name)

        def call(*args, **kwargs):
            found[name] += 1
            return method(*args, **kwargs)

        return call

    def get(tensor, index):
        parts = index if isinstance(index, tuple) else (index,)
        found["mask"] += any(getattr(x, "dtype", None) == torch.bool for x in parts)
        return getitem(tensor, index)

    getitem = torch.Tensor.__getitem__
    monkeypatch.setattr(torch.Tensor, "__getitem__", get)
    for name in WAITS:
        monkeypatch.setattr(torch.Tensor, name, counted(name))
    return found


def test_waits_are_seen(waits):
    x = torch.ones(2)
    bool(x.sum()), int(x.sum()), x.sum().item(), x.tolist(), x[x > 0], x.nonzero()
    assert waits.total() == 6


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (FullLossConfig(), {}),
        # The band's width, which is the shape of all that follows.
        (PrunedLossConfig(), {"__int__": 1}),
        (PrunedLossConfig(am_scale=0.1, topology=Topology.MONOTONIC), {"__int__": 1}),
        # The lengths, by which cells are grouped, and the gradient's factor.
        (FusedLossConfig(), {"tolist": 2}),
        # The number of different labels, besides: the size of a shared sample.
        (SampledLossConfig(num_samples=2), {"tolist": 2, "__int__": 1}),
        (
            SampledLossConfig(num_samples=2, proposal=Proposal.UNIGRAM),
            {"tolist": 2, "__int__": 1},
        ),
        (SampledLossConfig(num_samples=2, scope=Scope.UTTERANCE), {"tolist": 2}),
    ],
)
@pytest.mark.parametrize("copies", [1, 3])
def test_the_trainers_own_tensors_are_not_looked_at(config, expected, copies, waits):
    model = make_model()
    criterion = config.build(model)
    # Not an utterance at a time: as often for many as for a few.
    enc_out, *batch = (torch.cat([x] * copies) for x in make_batch())
    encoded = with_features(Encoded(enc_out.requires_grad_(), *batch))
    waits.clear()
    criterion(model, encoded).loss.backward()
    assert +waits == expected


def test_arguments_of_others_are_checked_before_and_after():
    compute(PrunedLossConfig())
    assert not checks.trusting()
    logits = torch.randn(1, 4, 2, 5)
    ranges = torch.arange(2).expand(1, 4, 2)
    lens = torch.tensor([4]), torch.tensor([1])
    with pytest.raises(ValueError, match="tokens must be in"):
        pruned_loss(logits, torch.tensor([[7]]), ranges, *lens)


def test_trust_ends_with_an_error():
    with pytest.raises(KeyError), checks.trusted():
        raise KeyError
    assert not checks.trusting()
