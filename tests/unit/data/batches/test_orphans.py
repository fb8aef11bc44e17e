"""Readers end with the training, however that ends."""

import multiprocessing
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asrkit.data.batches.cuts import CutList, plan_cuts
from asrkit.data.batches.workers import Reader, read_batches, start_worker
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
    assert_ends_with(train, cuts, tmp_path / "readers", readers=2)


def late_reader(path):
    """Note this process, which gets to its first line after the training's end."""
    training = os.getppid()
    path.write_text(str(os.getpid()))
    while os.getppid() == training:
        time.sleep(0.01)
    start_worker(0)
    time.sleep(600)


def train_with_late_reader(path):
    multiprocessing.get_context("fork").Process(
        target=late_reader, args=(path,)
    ).start()
    time.sleep(600)


def test_a_reader_that_starts_when_the_training_is_no_more(tmp_path):
    assert_ends_with(train_with_late_reader, tmp_path / "readers", readers=1)


def assert_ends_with(training, *arguments, readers):
    """Assert that a training's readers end with it: their numbers are in a file."""
    path = arguments[-1]
    process = multiprocessing.get_context("fork").Process(
        target=training, args=arguments
    )
    process.start()
    while not path.is_file() or not path.read_text():
        assert process.is_alive()
        time.sleep(0.05)
    started = path.read_text().split()
    assert len(started) == readers
    process.kill()
    process.join()
    for _ in range(300):
        if not any(map(alive, started)):
            return
        time.sleep(0.1)
    for reader in filter(alive, started):
        os.kill(int(reader), signal.SIGKILL)
    raise AssertionError("readers live on")
