"""The comparison of two systems: p-values, intervals, and what cannot be compared."""

from itertools import product

import numpy as np
import pytest

from asrkit.decoding.scoring.bootstrap import Unit
from asrkit.decoding.scoring.score import Hypothesis, Score, score
from asrkit.decoding.scoring.significance import compare, comparison_line, swap_test
from asrkit.utils.errors import InputError


def decoded(errors: list[int], speakers: list[str] | None = None) -> Score:
    """Score ten-word utterances with so many wrong words each."""
    return score(
        [
            Hypothesis(
                f"u{i:04d}",
                ["a"] * 10,
                ["b"] * wrong + ["a"] * (10 - wrong),
                speakers[i] if speakers else None,
            )
            for i, wrong in enumerate(errors)
        ]
    )


def test_p_values_are_uniform_where_systems_are_equal():
    rng = np.random.default_rng(0)
    p_values = np.array(
        [
            swap_test(rng.poisson(1.0, 100) - rng.poisson(1.0, 100), draws=200)
            for _ in range(500)
        ]
    )
    shares = np.histogram(p_values, bins=5, range=(0, 1))[0] / 500
    assert shares == pytest.approx(np.full(5, 0.2), abs=0.06)  # 3 deviations: 0.054
    assert 0.025 <= np.mean(p_values < 0.05) <= 0.08


def test_p_value_equals_that_of_all_swaps():
    change = np.array([3, -1, 2, 2, 0, 1, -1, 4])
    sums = [np.dot(signs, change) for signs in product([1, -1], repeat=len(change))]
    exact = np.mean(np.abs(sums) >= abs(change.sum()))
    assert swap_test(change, draws=40_000) == pytest.approx(exact, abs=0.006)


def test_no_change_is_no_evidence():
    assert swap_test(np.zeros(5, dtype=np.int64)) == 1.0


def test_a_real_difference_is_found():
    rng = np.random.default_rng(1)
    a = rng.integers(0, 5, 300)
    b = np.maximum(a - (rng.random(300) < 0.3), 0)
    result = compare(decoded(a), decoded(b))
    assert result.p_value < 0.001
    assert result.significant
    assert result.difference == pytest.approx(100 * (b - a).sum() / 3000)
    assert result.ci95[0] < result.difference < result.ci95[1] < 0
    assert (result.fewer, result.more) == ((b < a).sum(), 0)
    assert result.equal == 300 - result.fewer
    assert (result.unit, result.units) == (Unit.UTTERANCES, 300)


def test_interval_is_that_of_the_normal_approximation():
    rng = np.random.default_rng(2)
    a, b = rng.integers(0, 5, (2, 400))
    result = compare(decoded(a), decoded(b))
    half = 1.96 * 10 * np.std(b - a) / np.sqrt(400)
    assert result.ci95[1] - result.ci95[0] == pytest.approx(2 * half, rel=0.06)


def test_the_other_way_round_the_sign_changes():
    a, b = decoded([3, 1, 0, 2, 5]), decoded([1, 1, 1, 2, 2])
    there, back = compare(a, b), compare(b, a)
    assert there.difference == -back.difference == -8.0
    assert there.p_value == back.p_value
    assert (there.fewer, there.more) == (back.more, back.fewer) == (2, 1)


def test_speakers_are_swapped_whole():
    # One of eight speakers has all the gain, in many utterances: that is one chance.
    speakers = [f"s{i % 8}" for i in range(160)]
    a = [4] * 160
    b = [2 if speaker == "s3" else 4 for speaker in speakers]
    by_speaker = compare(decoded(a, speakers), decoded(b, speakers))
    assert (by_speaker.unit, by_speaker.units) == (Unit.SPEAKERS, 8)
    assert by_speaker.p_value == 1.0
    assert compare(decoded(a), decoded(b)).p_value < 0.001
    # Speakers that only one of the two results tells are known all the same.
    assert compare(decoded(a), decoded(b, speakers)).unit is Unit.SPEAKERS


def test_line_names_the_better_system():
    line = comparison_line(
        "dev", "x", "y", compare(decoded([9] * 20), decoded([1] * 20))
    )
    assert line.startswith("[dev] y minus x: -80.00 % WER absolute, 95% CI [-80.00, ")
    assert line.endswith("fewer errors in 20 utterances, more in 0: y is better")
    line = comparison_line(
        "dev", "x", "y", compare(decoded([1] * 20), decoded([9] * 20))
    )
    assert line.endswith(": x is better")
    line = comparison_line("dev", "x", "y", compare(decoded([1, 2]), decoded([2, 1])))
    assert line.endswith(": no significant difference")


def test_other_utterances_or_references_are_refused():
    a = decoded([0] * 9)
    with pytest.raises(
        InputError, match=r"second system lacks 6 utt.*u0007 and others"
    ):
        compare(a, decoded([0] * 3))
    with pytest.raises(InputError, match=r"first system lacks 1 utterances \(u0009\)"):
        compare(a, decoded([0] * 10))
    other = score([Hypothesis(one.id, ["x"] * 10, ["x"] * 10) for one in a.alignments])
    with pytest.raises(InputError, match=r"different references in 9 utterances"):
        compare(a, other)
