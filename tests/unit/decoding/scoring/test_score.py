"""Error counts against an edit distance of its own, intervals against theory."""

import math
import random

import kaldialign
import numpy as np
import pytest

from asrkit.decoding.scoring.bootstrap import Unit
from asrkit.decoding.scoring.score import GAP, Hypothesis, normalized, score
from asrkit.text.normalize import TextStyle
from asrkit.utils.errors import InputError


def edit_distance(ref: list[str] | str, hyp: list[str] | str) -> int:
    """Levenshtein distance by the textbook table, one row at a time."""
    row = list(range(len(hyp) + 1))
    for i, ref_word in enumerate(ref, start=1):
        diagonal, row[0] = row[0], i
        for j, hyp_word in enumerate(hyp, start=1):
            diagonal, row[j] = (
                row[j],
                min(row[j] + 1, row[j - 1] + 1, diagonal + (ref_word != hyp_word)),
            )
    return row[-1]


def random_set(size: int) -> list[Hypothesis]:
    words = ["A", "B", "C", "*", "É"]
    draw = random.Random(1)
    return [
        Hypothesis(
            f"utt{i}",
            draw.choices(words, k=draw.randint(0, 9)),
            draw.choices(words, k=draw.randint(0, 9)),
        )
        for i in range(size)
    ]


def by_speaker(errors: list[int], speaker: str) -> list[Hypothesis]:
    """Ten-word utterances of one speaker with so many wrong words each."""
    return [
        Hypothesis(f"{speaker}-{i}", ["a"] * 10, ["b"] * n + ["a"] * (10 - n), speaker)
        for i, n in enumerate(errors)
    ]


def test_counts_equal_the_edit_distance():
    hypotheses = random_set(1000)
    result = score(hypotheses)
    assert result.errors == sum(edit_distance(h.ref, h.hyp) for h in hypotheses)
    assert result.errors == result.ins + result.dels + result.subs
    assert result.words == sum(len(h.ref) for h in hypotheses)
    assert result.ins - result.dels == sum(len(h.hyp) - len(h.ref) for h in hypotheses)
    assert result.rate == pytest.approx(100 * result.errors / result.words)
    assert result.utterances == 1000
    assert result.empty == sum(h.hyp == [] for h in hypotheses) > 0


def test_counts_equal_kaldialigns():
    hypotheses = random_set(1000)
    result = score(hypotheses)
    counts = [kaldialign.edit_distance(h.ref, h.hyp) for h in hypotheses]
    for ours, theirs in (result.ins, "ins"), (result.dels, "del"), (result.subs, "sub"):
        assert ours == sum(count[theirs] for count in counts)


def test_rates_equal_jiwers():
    jiwer = pytest.importorskip("jiwer")
    hypotheses = [one for one in random_set(1200) if one.ref][:1000]
    result = score(hypotheses)
    refs = [" ".join(one.ref) for one in hypotheses]
    hyps = [" ".join(one.hyp) for one in hypotheses]
    assert len(refs) == 1000
    assert result.rate == pytest.approx(100 * jiwer.wer(refs, hyps))
    assert result.cer == pytest.approx(100 * jiwer.cer(refs, hyps))


def test_character_errors_equal_the_edit_distance():
    hypotheses = random_set(200)
    texts = [(" ".join(h.ref), " ".join(h.hyp)) for h in hypotheses]
    errors = sum(edit_distance(ref, hyp) for ref, hyp in texts)
    characters = sum(len(ref) for ref, _ in texts)
    assert score(hypotheses).cer == pytest.approx(100 * errors / characters)


def test_each_alignment_counts_its_own_errors():
    hypotheses = [
        Hypothesis("u", ["a", "b"], ["b", "c"], "s", 1.5),
        Hypothesis("v", ["a"], ["a", "b"]),
    ]
    first, second = score(hypotheses).alignments
    assert (first.ins, first.dels, first.subs, first.words) in [
        (1, 1, 0, 2),
        (0, 0, 2, 2),
    ]
    assert (first.errors, first.speaker, first.duration) == (2, "s", 1.5)
    assert (second.ins, second.errors, second.speaker) == (1, 1, None)


def test_normalization_changes_both_sides():
    texts = [
        Hypothesis("u", ["It\u2019s", "mid-day."], ["its", "Mid", "day"], "s", 2.0)
    ]
    changed = normalized(texts, TextStyle.LIBRISPEECH)
    expected = Hypothesis("u", ["IT'S", "MID", "DAY"], ["ITS", "MID", "DAY"], "s", 2.0)
    assert changed == [expected]
    spaced = [Hypothesis("u", ["NEW YORK"], ["NEW", "YORK"])]
    assert normalized(spaced, TextStyle.NONE) == spaced


def test_an_utterance_twice_is_refused():
    with pytest.raises(InputError, match="utterance u is there twice"):
        score([Hypothesis("u", ["a"], []), Hypothesis("u", ["a"], ["a"])])


def test_alignments_hold_both_sides_in_order():
    hypotheses = {h.id: h for h in random_set(50)}
    for alignment in score(list(hypotheses.values())).alignments:
        original = hypotheses[alignment.id]
        assert [ref for ref, _ in alignment.pairs if ref != GAP] == original.ref
        assert [hyp for _, hyp in alignment.pairs if hyp != GAP] == original.hyp


def test_order_of_utterances_changes_nothing():
    hypotheses = random_set(30)
    assert score(hypotheses) == score(hypotheses[::-1])


def test_interval_is_that_of_the_normal_approximation():
    draw = random.Random(2)
    errors = [draw.randint(0, 4) for _ in range(400)]
    low, high = score(by_speaker(errors, "x")).ci95
    mean = 100 * np.mean(errors) / 10
    half = 1.96 * 100 * np.std(errors) / 10 / math.sqrt(len(errors))
    assert low == pytest.approx(mean - half, abs=0.15 * half)
    assert high == pytest.approx(mean + half, abs=0.15 * half)


def test_speakers_are_drawn_when_there_are_more_than_five():
    # Each speaker is all right or all wrong, so speakers are what varies.
    def spread(speakers: int) -> float:
        hypotheses = [
            one
            for number in range(speakers)
            for one in by_speaker([5 * (number % 2)] * 50, f"s{number}")
        ]
        low, high = score(hypotheses).ci95
        return high - low

    def expected(units: int) -> float:
        return 2 * 1.96 * 25 / math.sqrt(units)  # 25: the deviation of 0 and 50 %

    assert spread(6) == pytest.approx(expected(units=6), rel=0.3)
    assert spread(5) == pytest.approx(expected(units=250), rel=0.3)


def test_one_unknown_speaker_means_utterances_are_drawn():
    known = [one for n in range(8) for one in by_speaker([5 * (n % 2)] * 50, f"s{n}")]
    unknown = Hypothesis("u", ["a"], ["a"])
    by_speakers, by_utterances = score(known), score([*known, unknown])
    assert (by_speakers.unit, by_utterances.unit) == (Unit.SPEAKERS, Unit.UTTERANCES)
    wide, narrow = by_speakers.ci95, by_utterances.ci95
    assert wide[1] - wide[0] > 3 * (narrow[1] - narrow[0])


def test_interval_of_a_single_utterance_is_its_wer():
    result = score([Hypothesis("u", ["a", "b"], ["a"])])
    assert result.ci95 == (50.0, 50.0)
    assert result.rate == 50.0


def test_draws_without_words_are_left_out():
    result = score([Hypothesis("u", ["a"], []), Hypothesis("v", [], [])])
    assert result.ci95 == (100.0, 100.0)


@pytest.mark.parametrize("hypotheses", [[], [Hypothesis("u", [], ["a"])]])
def test_no_reference_words(hypotheses):
    with pytest.raises(InputError, match="no reference words"):
        score(hypotheses)
