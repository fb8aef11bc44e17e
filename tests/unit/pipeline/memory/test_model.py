"""The model of peak memory recovers what made-up measurements were made of."""

import random

import pytest

from asrkit.losses.full import FullLossConfig
from asrkit.losses.pruned import PrunedLossConfig
from asrkit.losses.sample_wise import SampleWiseLossConfig
from asrkit.losses.sampled import SampledLossConfig
from asrkit.models.joiner import JoinerConfig
from asrkit.pipeline.components import COMPONENTS
from asrkit.pipeline.memory.model import Costs, Measured, fit
from asrkit.pipeline.memory.shapes import Shape
from asrkit.transducer.sampling import Scope

BATCH = Shape((4.0, 2.0), (100, 50), (20, 30))


def shape(batch, frames, labels):
    return Shape((frames / 25,) * batch, (frames,) * batch, (labels,) * batch)


def test_terms_are_counted_from_the_lengths():
    costs = Costs(FullLossConfig(), vocab_size=500, joiner_dim=64)
    assert costs.terms(BATCH) == (1.0, 200.0, 200.0 * 31 * (500 + 64 + 8))
    joiner = JoinerConfig(dim=64, durations=[0, 1, 2])
    jumping = Costs.of(FullLossConfig(), joiner, 500).lattice(BATCH)
    assert jumping == 200.0 * 31 * (500 + 3 + 64 + 8 * (1 + 3))
    padded = Costs(PrunedLossConfig(), 500, 64).lattice(BATCH)
    assert padded == 200.0 * 31 * 8


@pytest.mark.parametrize("kind", COMPONENTS["loss"], ids=lambda kind: kind.name)
def test_only_what_keeps_cells_is_charged_for_them(kind):
    one, four = (Costs(kind(), 500, 64).lattice(shape(b, 100, 30)) for b in (1, 4))
    of_cells = ("full", "pruned", "sample_wise")
    of_tiles = ("fused", "ctc", "viterbi", "mbr", "mwer")
    if kind.name in (*of_cells, *of_tiles):
        assert (one > 0) is (kind.name in of_cells)
    assert four >= one >= 0


@pytest.mark.parametrize(
    ("max_cells", "cells"), [(10, 2100), (3000, 3000), (10_000, 2100 + 1550)]
)
def test_utterance_by_utterance_holds_a_group_or_the_largest(max_cells, cells):
    loss = SampleWiseLossConfig(max_cells=max_cells)
    assert Costs(loss, 500, 64).lattice(BATCH) == cells * 508.0


@pytest.mark.parametrize(
    ("scope", "V", "numbers"),
    [
        # Blank, 2 times 30 labels at most, and 50 others; a posterior an utterance.
        ("batch", 9000, 2 * 111 * 64 + 2 * 9000),
        ("batch", 90, 2 * 90 * 64 + 2 * 90),
        ("utterance", 9000, 2 * (2 * 81 * 64 + 4 * 9000)),
        ("utterance", 70, 2 * (2 * 70 * 64 + 4 * 70)),
    ],
)
def test_a_sample_costs_its_rows_and_what_it_is_drawn_from(scope, V, numbers):
    loss = SampledLossConfig(num_samples=50, scope=Scope(scope))
    assert Costs(loss, V, joiner_dim=64).lattice(BATCH) == numbers


@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_known_factors_are_found_again(noise):
    rng = random.Random(0)
    costs = Costs(FullLossConfig(), vocab_size=100, joiner_dim=50)
    true = (3e8, 2e5, 4.0)

    def peak(terms):
        exact = sum(f * x for f, x in zip(true, terms, strict=True))
        return exact * (1.0 + rng.uniform(-noise, noise))

    shapes = [shape(b, t, u) for b, t, u in [(1, 90, 60), (9, 50, 1), (6, 90, 40)]]
    terms = [costs.terms(one) for one in [*shapes, shape(12, 60, 10)]]
    model = fit([Measured(one, peak(one)) for one in terms])
    if not noise:
        assert model.factors == pytest.approx(true, rel=1e-6)
    larger = costs.terms(shape(30, 90, 40))
    exact = sum(f * x for f, x in zip(true, larger, strict=True))
    assert model.predict(larger) == pytest.approx(exact, rel=1e-6 + 3 * noise)


def test_factors_are_never_negative():
    falling = [Measured((1.0, x, 0.0), b) for x, b in ((10.0, 9e8), (99.0, 5e8))]
    assert min(fit(falling).factors) >= 0.0


def test_one_measurement_is_a_constant():
    model = fit([Measured((1.0, 500.0, 0.0), 7e8)])
    assert model.predict((1.0, 900.0, 0.0)) == pytest.approx(7e8)


def test_the_worst_of_each_term_may_come_from_different_batches():
    costs = Costs(PrunedLossConfig(), 100, 50)
    wide, long = shape(10, 20, 2), shape(1, 100, 50)
    found = costs.worst([wide, long])
    assert found == (1.0, 200.0, 100.0 * 51 * 8)
