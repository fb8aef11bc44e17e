"""Training batches when files have gone: as many steps, at the same positions."""

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import soundfile
import torch
from lhotse import CutSet

from asrkit.data.corpora.scan import Utterance, scan
from asrkit.pipeline.tasks.batches import DevBatches, TrainBatches
from asrkit.text.char import CharTokenizerConfig
from asrkit.training.distributed import World
from asrkit.utils.errors import InputError
from tests.unit.pipeline.compose import make

COUNT = 24


@pytest.fixture
def opened(tmp_path):
    rng = np.random.default_rng(0)
    utterances = []
    for index in range(COUNT):
        path = tmp_path / "audio" / f"{index:02}.wav"
        path.parent.mkdir(exist_ok=True)
        soundfile.write(path, 0.1 * rng.standard_normal(8000 + 400 * index), 16000)
        utterances.append(Utterance(id=path.stem, path=path, text="A B"))
    cuts = CutSet.from_cuts(scan(utterances, name="x")[0])
    config = make("tokenizer=char", f"exp_dir={tmp_path / 'exp'}")
    data = replace(config.data, max_duration=2.0, num_workers=0, num_buckets=2)
    config = replace(config, data=replace(data, max_left_out=0.5))
    tokenizer = CharTokenizerConfig().train(["A B"])

    def open_(rank=0, size=2, kind=TrainBatches):
        world = World(rank, size, torch.device("cpu"))
        return kind(config, cuts, tokenizer, world, [])

    return open_


def first(batches, count, position=None):
    return [(batch.ids, at) for batch, at in islice(batches(position), count)]


def test_a_process_whose_batch_has_gone_makes_as_many_steps(opened, tmp_path):
    whole = [first(opened(rank), 12) for rank in (0, 1)]
    gone = {*whole[1][2][0], *whole[1][3][0]}
    for id in gone:
        (tmp_path / "audio" / f"{id}.wav").unlink()
    rest = [first(opened(rank), 12) for rank in (0, 1)]
    for rank in (0, 1):
        assert [at for _, at in rest[rank]] == [at for _, at in whole[rank]]
    kept = [[id for id in ids if id not in gone] for ids, _ in whole[1]]
    assert kept[2] == kept[3] == []
    assert [ids for ids, _ in rest[1][:6]] == [*kept[:2], *[kept[4]] * 3, kept[5]]
    listed = tmp_path / "exp" / "train" / "unreadable_train_rank1.tsv"
    lines = listed.read_text().splitlines()[1:]
    assert [line.split("\t")[0] for line in lines] == sorted(gone)
    resumed = first(opened(1), 8, rest[1][3][1].state_dict())
    assert resumed == rest[1][4:12]


def test_more_than_the_share_ends_the_run(opened, tmp_path):
    for path in sorted((tmp_path / "audio").iterdir())[:16]:
        path.unlink()
    with pytest.raises(InputError, match=r"unreadable_train\.tsv; data\.max_left_out"):
        first(opened(size=1), 100)


def test_dev_goes_on_without_what_has_gone(opened, tmp_path):
    (tmp_path / "audio" / "07.wav").unlink()
    batches = opened(size=1, kind=DevBatches)
    for _ in range(2):
        ids = [id for batch in batches() for id in batch.ids]
        assert sorted(ids) == [f"{i:02}" for i in range(COUNT) if i != 7]
    listed = tmp_path / "exp" / "train" / "unreadable_dev.tsv"
    assert len(listed.read_text().splitlines()) == 2
