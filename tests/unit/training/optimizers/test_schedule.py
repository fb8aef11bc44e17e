"""Schedules at the points that define them."""

import pytest

from asrkit.training.optimizers.schedule import (
    ConstantConfig,
    ConstantThenDecayConfig,
    EdenConfig,
    OneCycleConfig,
    TriangleConfig,
)
from asrkit.utils.training_progress import TrainingProgress


def learning_rates(schedule, peak, shares):
    return [peak * schedule.factor(TrainingProgress(share)) for share in shares]


def test_one_cycle_rises_falls_and_ends_where_it_says():
    schedule = OneCycleConfig(warmup=0.2, start=0.1, final=0.01)
    factors = learning_rates(schedule, 1.0, [0.0, 0.1, 0.2, 0.6, 1.0])
    assert factors == pytest.approx([0.1, 0.55, 1.0, 0.505, 0.01])


def test_triangle_is_the_one_cycle_of_the_viterbi_stage():
    # Zhou et al. (2022): 8e-5, 8e-4, 8e-5, 1e-6 at 0, 45, 90 and 100 %
    shares = [0.0, 0.225, 0.45, 0.675, 0.9, 0.95, 1.0]
    expected = [8e-5, 4.4e-4, 8e-4, 4.4e-4, 8e-5, 4.05e-5, 1e-6]
    assert learning_rates(TriangleConfig(), 8e-4, shares) == pytest.approx(expected)


def test_triangle_may_start_lower_than_it_falls():
    # 7e-6, 5e-4, 5e-5, 1e-7 at 0, 960, 1920 and 2000 of 2000
    schedule = TriangleConfig(rise=0.48, fall=0.48, start=0.014, low=0.1, final=2e-4)
    shares = [0.0, 0.48, 0.72, 0.96, 1.0]
    expected = [7e-6, 5e-4, 2.75e-4, 5e-5, 1e-7]
    assert learning_rates(schedule, 5e-4, shares) == pytest.approx(expected)


def test_constant_then_decay_is_that_of_the_full_sum_stage():
    # Zhou et al. (2022): 8e-5 for 45 %, down to 1e-5 at 90 %, to 1e-6 at the end
    schedule = ConstantThenDecayConfig()
    shares = [0.0, 0.3, 0.45, 0.675, 0.9, 0.95, 1.0]
    expected = [8e-5, 8e-5, 8e-5, 4.5e-5, 1e-5, 5.5e-6, 1e-6]
    assert learning_rates(schedule, 8e-5, shares) == pytest.approx(expected)


def test_constant_warms_up():
    schedule = ConstantConfig(warmup=0.1)
    assert schedule.factor(TrainingProgress(0.05)) == pytest.approx(0.5)
    assert schedule.factor(TrainingProgress(0.5)) == 1.0
    assert ConstantConfig().factor(TrainingProgress(0.0)) == 1.0


@pytest.mark.parametrize(
    ("update", "epochs", "warmup"),
    [(0, 0.0, 0.5), (250, 0.1, 0.75), (500, 0.2, 1.0), (7500, 3.5, 1.0),
     (130_000, 50.0, 1.0)],
)  # fmt: skip
def test_eden_is_the_product_of_the_paper(update, epochs, warmup):
    by_update = ((update**2 + 7500**2) / 7500**2) ** -0.25
    by_epoch = ((epochs**2 + 3.5**2) / 3.5**2) ** -0.25
    expected = 0.045 * by_update * by_epoch * warmup
    # The share of the training that is done does not matter.
    for share in (0.0, 0.7):
        factor = EdenConfig().factor(TrainingProgress(share, update, epochs))
        assert 0.045 * factor == pytest.approx(expected)
