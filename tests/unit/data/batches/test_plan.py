"""The plan of batches: complete, the same for any number of processes, resumable."""

import itertools

import pytest
from lhotse import CutSet
from lhotse.testing.dummies import dummy_cut, dummy_supervision

from asrkit.data.batches.plan import BatchPlan, Position, plan_once

DURATIONS = [1.0 + (7 * i % 23) / 10 for i in range(60)]


@pytest.fixture
def cuts():
    return CutSet.from_cuts(
        dummy_cut(i, duration=d, supervisions=[dummy_supervision(i, duration=d)])
        for i, d in enumerate(DURATIONS)
    )


def make_plan(cuts, rank=0, world_size=1, seed=1):
    return BatchPlan(
        cuts, max_duration=12.0, max_cuts=None, num_buckets=4, shuffle=True, seed=seed,
        rank=rank, world_size=world_size,
    )  # fmt: skip


def ids(batch):
    return [cut.id for cut in batch.cuts]


def first(plan, count):
    return list(itertools.islice(plan, count))


def epoch(plan, number):
    return [b for b in first(plan, 60) if b.position.epoch == number]


def test_an_epoch_has_every_utterance_once(cuts):
    for number in (0, 1):
        batches = epoch(make_plan(cuts), number)
        seen = [i for batch in batches for i in ids(batch)]
        assert sorted(seen) == sorted(cut.id for cut in cuts)
        assert batches[-1].position.done == pytest.approx(1.0)
        assert all(sum(c.duration for c in b.cuts) <= 14.0 for b in batches)


def test_epochs_and_seeds_differ_but_repeat(cuts):
    batches = make_plan(cuts)
    orders = [[ids(b) for b in epoch(batches, n)] for n in (0, 1)]
    assert orders[0] != orders[1]
    assert orders[0] == [ids(b) for b in epoch(make_plan(cuts), 0)]
    assert orders[0] != [ids(b) for b in epoch(make_plan(cuts, seed=2), 0)]


def test_processes_share_out_what_one_process_sees(cuts):
    alone = first(make_plan(cuts), 40)
    shares = [first(make_plan(cuts, rank, 2), 20) for rank in (0, 1)]
    merged = [batch for turn in zip(*shares, strict=True) for batch in turn]
    assert [ids(b) for b in merged] == [ids(b) for b in alone]
    assert [b.seed for b in merged] == [b.seed for b in alone]
    # All processes agree on where they are.
    assert [b.position for b in shares[0]] == [b.position for b in shares[1]]


@pytest.mark.parametrize("stop", [1, 7, 13, 25])
def test_going_on_from_a_position_gives_the_rest(cuts, stop):
    whole = first(make_plan(cuts), 40)
    plan = make_plan(cuts)
    plan.start = Position.from_state(whole[stop - 1].position.state_dict())
    rest = first(plan, 40 - stop)
    assert [(ids(b), b.position, b.seed) for b in rest] == [
        (ids(b), b.position, b.seed) for b in whole[stop:]
    ]


def test_one_pass_is_complete_and_within_the_limit(cuts):
    shares = [
        plan_once(cuts, max_duration=12.0, rank=r, world_size=3) for r in range(3)
    ]
    batches = [batch for share in shares for batch in share]
    assert sorted(i for b in batches for i in ids(b)) == sorted(c.id for c in cuts)
    for batch in batches:
        longest = max(cut.duration for cut in batch.cuts)
        assert longest * len(batch.cuts) <= 12.0
