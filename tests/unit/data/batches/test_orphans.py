"""Readers end with the training, however that ends."""

import multiprocessing
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asrkit.data.batches.cuts import CutList, plan_cuts
from asrkit.data.batches.workers import Reader, read_batches
from asrkit.data.corpora.scan import Utterance, scan
from asrkit.data.left_out import LeftOutList
from asrkit.text.char import CharTokenizerConfig

RATE = 16000
TEXT = 20_000 * "A"


@pytest.fixture
def cuts(tmp_path):
    rng = np.random.default_rng(0)
    soundfile.write(tmp_path / "a.wav", 0.1 * rng.standard_normal(60 * RATE), RATE)
    utterances = [
        # So much text that the batches fill the pipe that brings them.
        Utterance(id=str(i), path=tmp_path / "a.wav", text=TEXT, duration=20.0 + 5 * i)
        for i in range(8)
    ]
    return scan(utterances, name="x")[0]


def train(cuts, path):
    """Take one batch, note the readers, and let them get far ahead."""
    plan = plan_cuts(
        CutList(cuts), max_duration=61.0, max_cuts=None, num_buckets=2, seed=3
    )
    reader = Reader(CharTokenizerConfig().train(["A"]), RATE, None, False, ())
    stream = read_batches(
        plan, reader, num_workers=2, prefetch=4, timeout=0.0, left_out=LeftOutList()
    )
    next(stream)
    time.sleep(1.0)
    readers = [str(process.pid) for process in multiprocessing.active_children()]
    path.write_text(" ".join(readers))
    time.sleep(600)


def alive(process):
    try:
        stat = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def test_readers_end_with_a_training_that_is_killed(cuts, tmp_path):
    path = tmp_path / "readers"
    context = multiprocessing.get_context("fork")
    process = context.Process(target=train, args=(cuts, path))
    process.start()
    while not path.is_file() or not path.read_text():
        assert process.is_alive()
        time.sleep(0.05)
    readers = path.read_text().split()
    assert len(readers) == 2
    process.kill()
    process.join()
    for _ in range(300):
        if not any(map(alive, readers)):
            return
        time.sleep(0.1)
    raise AssertionError("readers live on")
