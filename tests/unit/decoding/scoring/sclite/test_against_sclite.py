"""Correct words, substitutions, deletions and insertions, against NIST's sclite."""

import logging
from pathlib import Path

import pytest

from asrkit.decoding.scoring.sclite.inputs import Rewriting, read_marked
from asrkit.decoding.scoring.sclite.marked import score_marked
from asrkit.decoding.scoring.sclite.words import Marks
from asrkit.decoding.scoring.score import Score
from asrkit.utils.errors import InputError
from tests.meta.test_repository import ROOT
from tests.unit.decoding.scoring.sclite.real import (
    GLM_WORDS,
    HERE,
    OPTIONS,
    SCTK,
    Case,
    Maker,
    filtered,
    real_counts,
    stored,
)

needs_sclite = pytest.mark.skipif(SCTK is None, reason="Debian's sctk is not installed")
TRN, TIMED = ("trn", "trn"), ("stm", "ctm")


def scored(case: Case, formats: tuple[str, str], folder: Path, **rewriting) -> Score:
    """Score a case as the command does."""
    ref, hyp = folder / f"ref.{formats[0]}", folder / f"hyp.{formats[1]}"
    ref.write_text(case.ref, encoding="utf-8")
    hyp.write_text(case.hyp, encoding="utf-8")
    logging.disable(logging.WARNING)  # random files lack channels
    try:
        marked = read_marked(hyp, ref, Rewriting("-s" in case.options, **rewriting))
        marks = Marks("-D" in case.options, "-F" in case.options)
        return score_marked(marked.utterances, marks)
    finally:
        logging.disable(logging.NOTSET)


def counts(score: Score) -> dict[str, list[int]]:
    return {
        one.id: [one.words - one.subs - one.dels, one.subs, one.dels, one.ins]
        for one in score.alignments
    }


def test_stored_trn_pairs(tmp_path):
    cases = stored("trn.json")
    assert sum(len(case.counts) for case in cases) >= 200
    for case in cases:
        assert counts(scored(case, TRN, tmp_path)) == case.counts


def test_stored_stm_and_ctm_pairs(tmp_path):
    cases = stored("stm.json")
    assert len(cases) >= 50
    for case in cases:
        assert counts(scored(case, TIMED, tmp_path)) == case.counts


@needs_sclite
@pytest.mark.parametrize("options", OPTIONS)
def test_the_real_sclite_on_trn(tmp_path, options):
    case = Maker(seed=2).trn(options, 50)
    assert counts(scored(case, TRN, tmp_path)) == real_counts(case, TRN)


@needs_sclite
def test_the_real_sclite_on_stm_and_ctm(tmp_path):
    maker = Maker(seed=3)
    for number in range(20):
        case = maker.timed(OPTIONS[number % len(OPTIONS)])
        real = real_counts(case, TIMED)
        if real is not None:  # it crashes on some
            assert counts(scored(case, TIMED, tmp_path)) == real


@needs_sclite
def test_the_real_csrfilt_before_the_real_sclite(tmp_path):
    maker, glm = Maker(seed=4, words=GLM_WORDS), HERE / "rules.glm"
    for number in range(6):
        case = maker.timed(OPTIONS[number], glm=True)
        ours = scored(case, TIMED, tmp_path, glm=glm, split_hyphens=True)
        ref = filtered(case.ref, "stm", "ref", glm, case.options)
        hyp = filtered(case.hyp, "ctm", "hyp", glm, case.options)
        real = real_counts(Case(case.options, ref, hyp), TIMED)
        assert counts(ours) == real


def test_the_example_of_the_documentation():
    # As csrfilt.sh -dh and sclite -D -F of sctk 2.4.10 count it.
    folder = ROOT / "docs" / "hub5"
    rewriting = Rewriting(glm=folder / "en.glm", split_hyphens=True)
    marked = read_marked(folder / "hyp.ctm", folder / "ref.stm", rewriting)
    assert marked.notes == ["ignored segments: 1, words in them: 2"]
    score = score_marked(marked.utterances, Marks(True, True))
    assert (score.words, score.subs, score.dels, score.ins) == (42, 2, 2, 0)


def test_a_set_without_reference_words(tmp_path):
    with pytest.raises(InputError, match="no reference words in 1 utterances"):
        scored(Case([], "(s-1)\n", "a (s-1)\n"), TRN, tmp_path)
