"""Errors of word boundaries."""

import numpy as np
import pytest
from lhotse.supervision import AlignmentItem

from asrkit.decoding.transcripts.boundaries import boundary_errors
from asrkit.decoding.transcripts.words import Word


def pair(found, true):
    """Take (start, end) twice."""
    start, end = true
    return Word("A", *found, 1.0), AlignmentItem("A", start, end - start)


def test_by_hand():
    """Starts are 50 ms early, 200 ms late, right; ends 50 ms early, 30 ms late."""
    pairs = [
        pair((0.45, 0.95), (0.5, 1.0)),
        pair((1.3, 2.0), (1.1, 2.0)),
        pair((2.5, 3.03), (2.5, 3.0)),
    ]
    starts, ends = boundary_errors(pairs)
    assert (starts.words, ends.words) == (3, 3)
    assert starts.mean == pytest.approx(0.25 / 3)
    assert starts.median == pytest.approx(0.05)
    assert starts.bias == pytest.approx(0.05)
    assert starts.within == pytest.approx({0.05: 2 / 3, 0.1: 2 / 3, 0.2: 1.0})
    assert ends.mean == pytest.approx(0.08 / 3)
    assert ends.median == pytest.approx(0.03)
    assert ends.bias == pytest.approx(-0.02 / 3)
    assert ends.within == {0.05: 1.0, 0.1: 1.0, 0.2: 1.0}


def test_same_as_numpy():
    rng = np.random.default_rng(0)
    true = np.sort(rng.uniform(0, 9, (40, 2)), axis=1)
    found = np.sort(true + rng.normal(0, 0.1, true.shape), axis=1)
    pairs = [pair(f, t) for f, t in zip(found, true, strict=True)]
    difference = found - true
    for column, errors in enumerate(boundary_errors(pairs, limits=[0.07])):
        sizes = np.abs(difference[:, column])
        assert errors.mean == pytest.approx(sizes.mean())
        assert errors.median == pytest.approx(np.median(sizes))
        assert errors.bias == pytest.approx(difference[:, column].mean())
        assert errors.within == {0.07: pytest.approx((sizes <= 0.07).mean())}
