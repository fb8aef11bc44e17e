"""When the watchdog takes training for stalled, look by look; see also integration/."""

import itertools

import pytest
import torch
from torch import nn

from asrkit.training.trouble.watchdog import _TICKS, Watchdog
from tests.unit.training.toy import CPU


class Looks:
    """Stands in for the event that the watchdog waits for between two looks."""

    def __init__(self, actions):
        self.actions = iter(actions)

    def wait(self, seconds):
        """Do what happens before a look; after the last one training is over."""
        action = next(self.actions, None)
        if action is None:
            return True
        action()
        return False


def stalls(watchdog, actions):
    ends = []
    watchdog._end = lambda: ends.append(True)
    watchdog._over = Looks(actions)
    watchdog._watch()
    return bool(ends)


def nothing():
    pass


@pytest.fixture
def watchdog(tmp_path):
    return Watchdog(tmp_path, CPU, 1.0)


def test_it_ends_after_so_many_looks_without_progress(watchdog):
    assert not stalls(watchdog, [nothing] * (_TICKS - 1))
    assert stalls(watchdog, [nothing] * _TICKS)


def test_progress_counts_from_anew(watchdog):
    quiet = [nothing] * (_TICKS - 1)
    assert not stalls(watchdog, [*quiet, watchdog.progress, *quiet])
    assert stalls(watchdog, [*quiet, watchdog.progress, *quiet, nothing])


def test_what_validation_computes_is_progress(watchdog):
    module = nn.Sequential(nn.Linear(2, 2), nn.ReLU())

    def compute():
        module[0](torch.ones(2))  # a part of it, called by itself

    calls = list(itertools.chain(*[[*[nothing] * (_TICKS - 1), compute]] * 3))
    with watchdog.validating(module):
        assert not stalls(watchdog, calls)
    assert stalls(watchdog, calls)


def test_without_a_limit_there_is_no_thread(tmp_path, monkeypatch):
    monkeypatch.setattr("asrkit.training.trouble.watchdog.threading.Thread", None)
    with Watchdog(tmp_path, CPU, 0.0):
        pass
