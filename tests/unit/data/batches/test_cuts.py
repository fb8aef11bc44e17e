"""Batches of cuts: the plan's rows, and one pass for validation and decoding."""

import itertools

import pytest
from lhotse import CutSet
from lhotse.testing.dummies import dummy_cut, dummy_supervision

from asrkit.data.batches.cuts import CutList, plan_cuts, plan_once

DURATIONS = [1.0 + (7 * i % 23) / 10 for i in range(60)]


@pytest.fixture
def cuts():
    return CutSet.from_cuts(
        dummy_cut(i, duration=d, supervisions=[dummy_supervision(i, duration=d)])
        for i, d in enumerate(DURATIONS)
    )


def first(cuts, count, **options):
    options = {"max_duration": 12.0, "max_cuts": None, "num_buckets": 4, **options}
    return list(itertools.islice(plan_cuts(CutList(cuts), seed=1, **options), count))


@pytest.mark.parametrize("options", [{}, {"max_cuts": 3}, {"num_buckets": 1}])
def test_an_epoch_has_the_cuts_once_and_keeps_to_the_limits(cuts, options):
    batches = first(cuts, 60, **options)
    end = next(i for i, batch in enumerate(batches) if batch.position.epoch)
    epoch = batches[: end + 1]
    assert epoch[-1].position.epochs == 1.0
    found = [cut for batch in epoch for cut in batch.cuts]
    assert sorted(found, key=lambda cut: cut.id) == sorted(cuts, key=lambda cut: cut.id)
    for batch in epoch:
        longest = max(cut.duration for cut in batch.cuts)
        assert longest * len(batch.cuts) <= 12.0
        assert len(batch.cuts) <= options.get("max_cuts", 60)


def test_one_pass_is_complete_and_within_the_limit(cuts):
    shares = [
        plan_once(cuts, max_duration=12.0, rank=r, world_size=3) for r in range(3)
    ]
    batches = [batch for share in shares for batch in share]
    assert sorted(i.id for b in batches for i in b.cuts) == sorted(c.id for c in cuts)
    for batch in batches:
        longest = max(cut.duration for cut in batch.cuts)
        assert longest * len(batch.cuts) <= 12.0


def test_one_pass_goes_from_long_to_short_whatever_the_order_of_the_cuts(cuts):
    batches = plan_once(reversed(list(cuts)), max_duration=12.0)
    found = [(cut.duration, cut.id) for batch in batches for cut in batch.cuts]
    expected = sorted(cuts, key=lambda cut: (-cut.duration, cut.id))
    assert found == [(cut.duration, cut.id) for cut in expected]
    numbers = [batch.position.batches for batch in batches]
    assert numbers == [*range(1, 1 + len(batches))]
