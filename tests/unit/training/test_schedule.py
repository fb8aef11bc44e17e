"""Schedules at the points that define them."""

import pytest

from asrkit.training.schedule import ConstantConfig, OneCycleConfig, TriangleConfig


def test_one_cycle_rises_falls_and_ends_where_it_says():
    schedule = OneCycleConfig(warmup=0.2, start=0.1, final=0.01)
    assert schedule.factor(0.0) == pytest.approx(0.1)
    assert schedule.factor(0.1) == pytest.approx(0.55)
    assert schedule.factor(0.2) == pytest.approx(1.0)
    assert schedule.factor(0.6) == pytest.approx(0.505)
    assert schedule.factor(1.0) == pytest.approx(0.01)


def test_triangle_has_rwth_shape():
    schedule = TriangleConfig()
    # 8e-5, 8e-4, 8e-5, 1e-6 at 0, 45, 90 and 100 %
    for done, lr in ((0.0, 8e-5), (0.45, 8e-4), (0.9, 8e-5), (1.0, 1e-6)):
        assert 8e-4 * schedule.factor(done) == pytest.approx(lr)
    assert schedule.factor(0.225) == pytest.approx(0.55)


def test_constant_warms_up():
    schedule = ConstantConfig(warmup=0.1)
    assert schedule.factor(0.05) == pytest.approx(0.5)
    assert schedule.factor(0.5) == 1.0
    assert ConstantConfig().factor(0.0) == 1.0
