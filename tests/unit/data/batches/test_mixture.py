"""The plan over shards: complete, the same for all processes, mixed, resumable."""

import itertools
from collections import Counter

import numpy as np
import pytest
import soundfile
import torch
from lhotse import CutSet, Recording, SupervisionSegment

from asrkit.data.batches.cuts import plan_cuts
from asrkit.data.batches.loader import make_loader
from asrkit.data.batches.mixture import open_mixture
from asrkit.data.batches.plan import Position
from asrkit.data.batches.stored_features import store_features
from asrkit.data.corpora.manifests import load_cuts, write_manifests
from asrkit.data.features.fbank import FeaturesConfig
from asrkit.data.shards import shard as shards_module
from asrkit.data.shards.shard import Field, Shard, open_shards
from asrkit.data.shards.writer import write_shards
from asrkit.text.char import CharTokenizerConfig
from asrkit.utils.errors import InputError

COUNT = 120


def make_cuts(folder, names, seed):
    rng = np.random.default_rng(seed)
    made = []
    for name in names:
        path = folder / f"{name}.flac"
        samples = 0.1 * rng.standard_normal(int(rng.integers(800, 6400)))
        soundfile.write(path, samples, 16000)
        cut = Recording.from_file(path, recording_id=name).to_cut()
        cut.id = name
        cut.supervisions = [
            SupervisionSegment(name, name, 0.0, cut.duration, text=name)
        ]
        made.append(cut)
    return CutSet.from_cuts(made)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Write a large set in many shards and a small one in two."""
    root = tmp_path_factory.mktemp("sets")
    for seed, (name, count) in enumerate([("a", COUNT), ("b", 30)]):
        cuts = make_cuts(root, [f"{name}{index}" for index in range(count)], seed)
        (root / name).mkdir()
        write_shards(cuts, root / name, field=Field.RECORDING, shard_size=15, jobs=1)
    return root


def mixture(root, names=("a",), weights=(), keep=lambda id: True, block=3):
    folders = [str(root / name) for name in names]
    ids = {cut.id for folder in folders for cut in open_shards(folder) if keep(cut.id)}
    return open_mixture(folders, weights, ids, block=block, seed=5)


def make_plan(mixed, rank=0, world_size=1, seed=1, **options):
    options = {"max_duration": 1.5, "max_cuts": None, **options}
    return plan_cuts(
        mixed, num_buckets=4, seed=seed, rank=rank, world_size=world_size, **options
    )


def ids(batch):
    return [cut.id for cut in batch.cuts]


def first(plan, count):
    return [
        (ids(batch), batch.position, batch.seed)
        for batch in itertools.islice(plan, count)
    ]


def epochs(plan, count):
    """Return the ids of each of the first epochs' batches."""
    found, epoch = [[] for _ in range(count)], 0
    for batch in plan:
        if epoch == count:
            return found
        found[epoch].append(ids(batch))
        epoch = batch.position.epoch
    return None


def flat(batches):
    return [i for batch in batches for i in batch]


def test_an_epoch_has_every_utterance_once(root):
    names = sorted(cut.id for cut in open_shards(str(root / "a")))
    one, two = epochs(make_plan(mixture(root)), 2)
    assert sorted(flat(one)) == sorted(flat(two)) == names
    assert one != two
    assert flat(one) != names
    assert one == epochs(make_plan(mixture(root)), 1)[0]
    assert one != epochs(make_plan(mixture(root), seed=2), 1)[0]


def test_batches_keep_to_the_limits_and_hold_like_lengths(root):
    seconds = {cut.id: cut.duration for cut in open_shards(str(root / "a"))}
    for options in ({}, {"max_cuts": 4}):
        plan = make_plan(mixture(root), **options)
        batches = epochs(plan, 1)[0]
        padded = [max(seconds[i] for i in batch) * len(batch) for batch in batches]
        assert max(padded) <= 1.5
        assert max(map(len, batches)) <= options.get("max_cuts", COUNT)
        assert sum(seconds.values()) / sum(padded) > 0.75
    alone = epochs(make_plan(mixture(root), max_duration=0.001), 1)[0]
    assert sorted(flat(alone)) == sorted(seconds)
    assert {len(batch) for batch in alone} == {1}


def test_utterances_that_are_left_out_stay_out(root):
    plan = make_plan(mixture(root, keep=lambda id: id.endswith("3")))
    found = flat(epochs(plan, 1)[0])
    assert sorted(found) == sorted(f"a{n}" for n in range(COUNT) if n % 10 == 3)


def test_processes_share_out_what_one_process_sees(root):
    mixed = mixture(root)
    alone = first(make_plan(mixed), 60)
    shares = [first(make_plan(mixed, rank, 2), 30) for rank in (0, 1)]
    merged = [batch for turn in zip(*shares, strict=True) for batch in turn]
    assert [(b[0], b[2]) for b in merged] == [(b[0], b[2]) for b in alone]
    assert [b[1] for b in shares[0]] == [b[1] for b in shares[1]]


@pytest.mark.parametrize("stop", [1, 9, 23, 37])
@pytest.mark.parametrize("weights", [(1.0, 1.0), (1.0, 0.3)])
def test_going_on_from_a_position_gives_the_rest(root, stop, weights):
    mixed = mixture(root, ("a", "b"), weights)
    whole = first(make_plan(mixed), 60)
    planned = make_plan(mixed)
    planned.plan.start = Position.from_state(whole[stop - 1][1].state_dict())
    assert first(planned, 60 - stop) == whole[stop:]


def test_going_on_opens_no_shard_that_lies_before(root, monkeypatch):
    opened = []
    read = Shard.read_entries

    def spy(shard):
        opened.append(shard.name)
        return read(shard)

    mixed = mixture(root)
    monkeypatch.setattr(shards_module.Shard, "read_entries", spy)
    batches = first(make_plan(mixed), len(make_plan(mixed).plan.batches(0)))
    assert len(opened) == 8
    planned = make_plan(mixture(root))
    opened.clear()
    planned.plan.start = batches[-2][1]
    assert first(planned, 1) == batches[-1:]
    assert len(opened) <= 3


def test_weights_set_how_often_a_set_comes(root):
    mixed = mixture(root, ("a", "b"), (1.0, 2.0))
    for found in epochs(make_plan(mixed), 2):
        counts = Counter(flat(found))
        assert {counts[f"a{n}"] for n in range(COUNT)} == {1}
        assert {counts[f"b{n}"] for n in range(30)} == {2}
    mixed = mixture(root, ("a", "b"), (0.3, 1.5))
    plan = make_plan(mixed)
    counts = Counter()
    for found in epochs(plan, 10):
        one = Counter(flat(found))
        assert sum(n for i, n in one.items() if i[0] == "a") == pytest.approx(36, abs=2)
        assert sum(n for i, n in one.items() if i[0] == "b") == pytest.approx(45, abs=2)
        counts += one
    assert {counts[f"a{n}"] for n in range(COUNT)} == {3}
    assert {counts[f"b{n}"] for n in range(30)} == {15}


def test_an_epoch_of_broken_weights_ends_at_its_end(root):
    plan = make_plan(mixture(root, ("a", "b"), (0.3, 1.5)))
    positions = [position for _, position, _ in first(plan, 60)]
    for here, after in itertools.pairwise(positions):
        assert after.epochs > here.epochs
        if after.epoch > here.epoch:
            assert after == Position(here.epoch + 1)


@pytest.mark.parametrize("weights", [(1.0,), (1.0, 0.0), (1.0, float("nan"))])
def test_weights_that_do_not_fit_are_named(root, weights):
    with pytest.raises(InputError, match=r"data.weights=\[1.0.*each of the 2 sets"):
        mixture(root, ("a", "b"), weights)


def load(plan, num_workers, stored_features=False):
    return make_loader(
        plan, CharTokenizerConfig().train(["ab 0123456789"]), 16000, augment=None,
        stored_features=stored_features, num_workers=num_workers, prefetch=2,
    )  # fmt: skip


@pytest.mark.filterwarnings("ignore:This DataLoader will create 4")  # on 2 cores
def test_four_workers_of_two_processes_read_each_utterance_once(root):
    mixed = mixture(root)
    plain = {cut.id: cut for cut in open_shards(str(root / "a"))}
    turns = len(epochs(make_plan(mixed), 1)[0]) // 2 + 1
    found, after = [], []
    for rank in (0, 1):
        loader = load(make_plan(mixed, rank, world_size=2), num_workers=4)
        for batch, _ in itertools.islice(loader, turns):
            found.append((rank, batch))
            for row, name in enumerate(batch.ids):
                signal = batch.signal[row, : batch.signal_lens[row]].numpy()
                np.testing.assert_array_equal(signal, plain[name].load_audio()[0])
        after.append(len(found))
    # Equal steps, and what is read twice belongs to the next epoch.
    assert after == [turns, 2 * turns]
    in_turn = [
        b for pair in zip(found[:turns], found[turns:], strict=True) for b in pair
    ]
    order = flat(batch.ids for _, batch in in_turn)
    assert sorted(order[:COUNT]) == sorted(plain)


def test_shards_of_features_give_the_stored_ones(root, tmp_path):
    cuts = make_cuts(tmp_path, ["u0", "u1", "u2"], seed=7)
    write_manifests({"train": cuts}, {}, tmp_path)
    store_features(
        tmp_path, "train", tmp_path / "fbank", FeaturesConfig().build(), speeds=[1.0],
        max_duration=2.0, device=torch.device("cpu"),
    )  # fmt: skip
    stored = load_cuts(tmp_path / "fbank", "train")
    out = tmp_path / "shards"
    out.mkdir()
    write_shards(stored, out, field=Field.FEATURES, shard_size=2, jobs=1)
    mixed = open_mixture([str(out)], [], {"u0", "u2"}, block=3, seed=0)
    batch, _ = next(load(make_plan(mixed, max_duration=5), 0, stored_features=True))
    assert sorted(batch.ids) == ["u0", "u2"]
    by_id = {cut.id: cut for cut in stored}
    for row, name in enumerate(batch.ids):
        feats = batch.signal[row, : batch.signal_lens[row]].numpy()
        np.testing.assert_array_equal(feats, by_id[name].load_features())
