"""The plan over lengths: complete, within its limits, resumable; Lhotse as its peer."""

import itertools
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lhotse import CutSet, MonoCut
from lhotse.dataset import DynamicBucketingSampler

from asrkit.data.batches.plan import (
    BatchPlan,
    Position,
    group_by_length,
    split,
    split_longest_first,
)

LENGTHS = np.array([1.0 + (7 * i % 23) / 10 for i in range(60)])


def make_plan(lengths=LENGTHS, buckets=4, rank=0, world_size=1, seed=1, **options):
    options = {"max_length": 12.0, **options}
    return BatchPlan(
        lengths, groups=group_by_length(lengths, buckets), seed=seed, rank=rank,
        world_size=world_size, **options,
    )  # fmt: skip


def first(plan, count):
    return [
        (rows.tolist(), position, seed)
        for rows, position, seed in itertools.islice(plan.deal(), count)
    ]


def one_by_one(lengths, max_length, max_rows):
    """Split as one would by hand: put in the next one while it fits."""
    batches = []
    for row in range(len(lengths)):
        batch = [*batches[-1], row] if batches else [row]
        longest = max(lengths[other] for other in batch)
        fits = longest * len(batch) <= max_length and len(batch) <= (max_rows or 1e9)
        if batches and fits:
            batches[-1] = batch
        else:
            batches.append([row])
    return batches


# In quarters, so that no product is rounded.
SIZES = st.lists(st.integers(1, 60).map(lambda n: n / 4), min_size=1, max_size=80)


@settings(deadline=None)
@given(SIZES, st.integers(1, 60), st.none() | st.integers(1, 7))
def test_a_batch_takes_what_fits_and_no_more(lengths, max_length, max_rows):
    lengths = np.array(lengths)
    batches = split(np.arange(len(lengths)), lengths, max_length, max_rows)
    expected = one_by_one(lengths, max_length, max_rows)
    assert [batch.tolist() for batch in batches] == expected


@settings(deadline=None)
@given(
    SIZES, st.integers(1, 9), st.integers(1, 60), st.integers(1, 5), st.integers(0, 99)
)
def test_the_processes_share_out_every_row_once_an_epoch(
    lengths, buckets, max_length, world_size, seed
):
    lengths = np.array(lengths)

    def plan(rank, world_size):
        return make_plan(
            lengths, buckets, rank, world_size, seed, max_length=max_length
        )

    alone = plan(0, 1)
    per_epoch = len(alone.batches(0))
    turns = -(-2 * per_epoch // world_size)
    shares = [first(plan(rank, world_size), turns) for rank in range(world_size)]
    merged = [batch for turn in zip(*shares, strict=True) for batch in turn]
    series = first(alone, len(merged))
    assert [(rows, seed) for rows, _, seed in merged] == [
        (rows, seed) for rows, _, seed in series
    ]
    # All processes agree on where they are after a turn: where one process is then.
    for share in shares:
        assert [at for _, at, _ in share] == [
            at for _, at, _ in series[world_size - 1 :: world_size]
        ]
    epoch = [rows for rows, _, _ in merged[:per_epoch]]
    assert sorted(itertools.chain(*epoch)) == list(range(len(lengths)))
    for rows in epoch:
        assert len(rows) == 1 or lengths[rows].max() * len(rows) <= max_length
    assert all(position.done < 1.0 for _, position, _ in series)
    epochs = [position.epochs for _, position, _ in series]
    assert all(a < b for a, b in itertools.pairwise(epochs))
    assert epochs[per_epoch - 1] == 1.0  # exactly


@pytest.mark.parametrize("world_size", [1, 3])
def test_going_on_from_any_position_gives_the_rest(world_size):
    whole = first(make_plan(world_size=world_size), 40)
    assert whole[-1][1].epoch >= 2
    for stop in range(1, 40):
        plan = make_plan(world_size=world_size)
        plan.start = Position.from_state(whole[stop - 1][1].state_dict())
        assert first(plan, 40 - stop) == whole[stop:]


def test_a_position_past_an_epochs_end_is_the_start_of_the_next():
    plan = make_plan()
    plan.start = Position(0, 1000, 0.9)
    number = len(plan.batches(0))
    assert first(plan, 5) == first(make_plan(), number + 5)[number:]


def test_epochs_and_seeds_differ_but_repeat():
    def epoch(number, seed=1):
        return [rows.tolist() for rows in make_plan(seed=seed).batches(number)]

    assert epoch(0) == epoch(0)
    assert epoch(0) != epoch(1)
    assert epoch(0) != epoch(0, seed=2)
    # Not the same batches in another order either.
    assert {frozenset(rows) for rows in epoch(0)} != {frozenset(r) for r in epoch(1)}


def test_the_seeds_of_batches_are_all_different_and_always_the_same():
    plans = [make_plan(seed=seed) for seed in (0, 1, 2)]
    seeds = [[seed for _, _, seed in first(plan, 200)] for plan in plans]
    assert len({seed for row in seeds for seed in row}) == 600
    # They may depend neither on the version of Python nor on the process.
    assert seeds[0][:2] == [2635072618980576772, 14898058564793133489]


def test_groups_have_as_much_length_each_and_keep_equal_lengths_together():
    lengths = np.random.default_rng(0).gamma(3.0, 2.0, 5000).round(2)
    groups = group_by_length(lengths, 20)
    sums = np.bincount(groups, lengths)
    assert len(sums) == 20
    assert sums.max() < 1.05 * sums.mean() < 1.1 * sums.min()
    order = np.argsort(lengths, kind="stable")
    assert (np.diff(groups[order]) >= 0).all()
    assert len(set(zip(lengths, groups, strict=True))) == len(set(lengths))
    assert set(group_by_length(np.full(9, 2.0), 4)) == {3}
    assert group_by_length(lengths, 1).max() == 0


def test_one_pass_has_the_longest_first_and_equal_ones_in_their_order():
    batches = split_longest_first(np.array([3.0, 100.0, 4.0, 3.0]), 10)
    assert [batch.tolist() for batch in batches] == [[1], [2, 0], [3]]


def test_blocks_come_one_after_the_other():
    blocks = [np.arange(20), np.repeat(np.arange(20, 40), 2), np.arange(0)]
    plan = make_plan(blocks=lambda epoch, generator: blocks)
    batches = [rows.tolist() for rows in plan.batches(0)]
    flat = list(itertools.chain(*batches))
    assert sorted(flat[:20]) == list(range(20))
    assert sorted(flat[20:]) == sorted(2 * list(range(20, 40)))


DRAWN = {
    "read speech": (lambda rng: rng.beta(3.0, 1.4, 6000) * 16 + 1, 200.0, 30),
    "conversation": (lambda rng: rng.gamma(2.0, 2.0, 6000) + 0.5, 100.0, 30),
    "commands": (lambda rng: rng.normal(2.3, 0.5, 1000).clip(1, 5), 30.0, 8),
}


def by_lhotse(lengths, max_length, buckets):
    cuts = [MonoCut(str(row), 0.0, one, 0) for row, one in enumerate(lengths.tolist())]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*eagerly read CutSet")
        sampler = DynamicBucketingSampler(
            CutSet.from_cuts(cuts), max_duration=max_length, num_buckets=buckets,
            shuffle=True, seed=0, world_size=1, rank=0,
        )  # fmt: skip
    return [np.array([int(cut.id) for cut in batch]) for batch in sampler]


@pytest.mark.parametrize("name", DRAWN)
def test_batches_are_as_good_as_those_of_lhotses_sampler(name):
    draw, max_length, buckets = DRAWN[name]
    lengths = draw(np.random.default_rng(0)).round(2)
    plan = make_plan(lengths, buckets, max_length=max_length)
    ours, theirs = plan.batches(0), by_lhotse(lengths, max_length, buckets)

    def padded(batches):
        return np.array([lengths[rows].max() * len(rows) for rows in batches])

    def longest(batches):
        return np.array([lengths[rows].max() for rows in batches])

    # As little padding, in no more batches, and as full ones.
    assert padded(ours).sum() < 1.01 * padded(theirs).sum()
    assert len(ours) <= len(theirs)
    assert np.median(padded(ours)) > 0.99 * np.median(padded(theirs))
    # Long and short ones come mixed: each tenth of an epoch has its share of both.
    for part in np.array_split(longest(ours), 10):
        assert part.min() < np.quantile(lengths, 0.6)
        assert part.max() > np.quantile(lengths, 0.7)
