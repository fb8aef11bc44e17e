"""The bootstrap against theory, and intervals against the truth they should cover."""

import numpy as np
import pytest

from asrkit.decoding.scoring.bootstrap import (
    Unit,
    draw_sums,
    percent_interval,
    sum_by_unit,
)

RATE = 0.08


def covers(counts: np.ndarray) -> bool:
    drawn = draw_sums(counts, draws=500)
    low, high = percent_interval(drawn[:, 0], drawn[:, 1], len(counts))
    return low <= 100 * RATE <= high


def utterances(rng: np.random.Generator, size: int) -> np.ndarray:
    """Draw errors and words of utterances whose difficulty varies, (size, 2)."""
    words = rng.choice([4, 8, 12, 20], size=size)
    rates = np.minimum(rng.gamma(1.5, RATE / 1.5, size=size), 1.0)
    return np.stack([rng.binomial(words, rates), words], axis=1)


def speakers(rng: np.random.Generator, size: int) -> np.ndarray:
    """Draw errors and words of speakers, (size, 2)."""
    words = rng.integers(150, 250, size=size)
    rates = np.minimum(rng.gamma(4.0, RATE / 4.0, size=size), 1.0)
    return np.stack([rng.binomial(words, rates), words], axis=1)


@pytest.mark.parametrize(("make", "size"), [(utterances, 100), (speakers, 10)])
def test_interval_covers_the_truth_in_95_of_100_sets(make, size):
    rng = np.random.default_rng(0)
    share = np.mean([covers(make(rng, size)) for _ in range(400)])
    # Two deviations of 400 tries are 2.2 %, and ten skewed speakers lose 1 % more. The
    # plain percentile interval covers 90 % with them.
    assert 0.915 <= share <= 0.975


def test_sums_are_distributed_as_those_of_units_drawn_one_by_one():
    rng = np.random.default_rng(1)
    counts = np.concatenate([utterances(rng, 40)] * 2)
    drawn = draw_sums(counts, draws=10_000)
    assert drawn.shape == (10_000, 2)
    # Of 80 draws with replacement, the mean and covariance are 80 times one draw's.
    assert drawn.mean(0) == pytest.approx(counts.sum(0), rel=0.01)
    expected = 80 * np.cov(counts.T, ddof=0)
    size = np.sqrt(np.outer(expected.diagonal(), expected.diagonal()))
    assert np.cov(drawn.T) / size == pytest.approx(expected / size, abs=0.05)


def test_few_units_have_an_interval_as_wide_as_students():
    rng = np.random.default_rng(2)
    normal = rng.standard_normal(400_000)
    width = {}
    for units in (6, 10, 10**6):
        # The bootstrap's deviation is too small by the root of (n - 1) / n.
        errors = normal * np.sqrt((units - 1) / units)
        low, high = percent_interval(errors, np.full_like(errors, 100.0), units)
        width[units] = high - low
    # Two-sided 95 % quantiles of Student's t with 5, 9 and infinite freedom.
    assert width[6] / 2 == pytest.approx(2.571, rel=0.02)
    assert width[10] / 2 == pytest.approx(2.262, rel=0.02)
    assert width[10**6] / 2 == pytest.approx(1.960, rel=0.01)


def test_very_varied_units_are_drawn_less_often():
    counts = np.stack([np.arange(2000), np.full(2000, 5)], axis=1)
    assert len(draw_sums(counts)) == 2000
    assert (draw_sums(counts)[:, 1] == 10_000).all()


def test_counts_add_up_by_speaker():
    counts = np.arange(14).reshape(7, 2)
    names = ["b", "a", "c", "d", "e", "f", "a"]
    sums, unit = sum_by_unit(counts, names)
    assert unit is Unit.SPEAKERS
    assert sums.tolist() == [[14, 16], [0, 1], [4, 5], [6, 7], [8, 9], [10, 11]]
    same, unit = sum_by_unit(counts, [*names[:6], None])
    assert unit is Unit.UTTERANCES
    assert same is counts
