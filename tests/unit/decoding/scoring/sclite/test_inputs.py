"""Pairs of files under sclite's rules, and sets that do not go together."""

import pytest

from asrkit.decoding.scoring.sclite.inputs import Rewriting, read_marked
from asrkit.decoding.scoring.sclite.marked import score_marked
from asrkit.decoding.scoring.sclite.subsets import subset_groups
from asrkit.decoding.scoring.sclite.words import Marks
from asrkit.utils.errors import InputError


def read(folder, ref, hyp, *, names=("r.trn", "h.trn"), rewriting=None, **more):
    paths = [folder / name for name in names]
    for path, text in zip(paths, (ref, hyp), strict=True):
        path.write_text(text, encoding="utf-8")
    return read_marked(paths[1], paths[0], rewriting or Rewriting(), **more)


def timed(folder, stm, ctm, **more):
    return read(folder, stm, ctm, names=("r.stm", "h.ctm"), **more)


def test_trn_pairs_and_their_speakers(tmp_path):
    read_ = read(
        tmp_path, ";; c\nA b (S_x-1)\nc (t_1)\nd (u)\n", "(u)\nC (T_1)\na (s_X-1)\n"
    )
    assert [(one.id, one.ref, one.hyp, one.speaker) for one in read_.utterances] == [
        ("s_x-1", ["a", "b"], ["a"], "s_x"),
        ("t_1", ["c"], ["c"], "t"),
        ("u", ["d"], [], None),
    ]
    with pytest.raises(InputError, match=r"r\.trn lacks 1 of 1 utterances: t_1; each"):
        read(tmp_path, "c (T_1)\n", "c (t_1)\n", rewriting=Rewriting(keep_case=True))


def test_a_missing_hypothesis_goes_unscored_but_not_unsaid(tmp_path, caplog):
    pair = "a (s-1)\nb (s-2)\n", "a (s-1)\n"
    assert [one.id for one in read(tmp_path, *pair).utterances] == ["s-1"]
    assert "h.trn lacks 1 of 2 utterances: s-2: they go unscored" in caplog.text
    both = read(tmp_path, *pair, missing_as_empty=True).utterances
    assert [one.hyp for one in both] == [["a"], []]


def test_repeated_utterances(tmp_path):
    with pytest.raises(InputError, match=r"h\.trn:2: utterance S-1 is there twice"):
        read(tmp_path, "a (s-1)\n", "a (s-1)\nb (S-1)\n")


def test_other_formats(tmp_path):
    recogs = tmp_path / "recogs-x.txt"
    recogs.write_text("u:\tref=['A', '(uh)']\nu:\thyp=['a']\n")
    [one] = read_marked(recogs, None, Rewriting()).utterances
    assert (one.ref, one.hyp) == (["a", "(uh)"], ["a"])
    names = "r.trn", "text"
    [one] = read(tmp_path, "{ a / b } (u)\n", "u A\n", names=names).utterances
    assert (one.ref, one.hyp) == ([[["a"], ["b"]]], ["a"])


@pytest.mark.parametrize("names", [("r.stm", "h.trn"), ("r.ctm", "h.ctm")])
def test_formats_that_do_not_go_together(tmp_path, names):
    with pytest.raises(InputError, match="--sclite scores a ctm against an stm, not"):
        read(tmp_path, "a (s-1)\n", "a (s-1)\n", names=names)


def test_a_middle_on_the_border_belongs_to_the_next_segment(tmp_path):
    stm = "f A s 0 1 a\nf A s 1 2 b\nf A s 2.5 3 c\n"
    ctm = "f A 1 0.2 b\nf A 0.9 0.2 x\nf A 2.1 .2 y\nf A 9 1 c\n"
    read_ = timed(tmp_path, stm, ctm)
    assert [(one.id, one.hyp) for one in read_.utterances] == [
        ("s-000", []), ("s-001", ["x", "b"]), ("s-002", ["y", "c"]),
    ]  # fmt: skip
    # 0.1 in single precision, as sclite keeps an stm's times, is a little more.
    read_ = timed(tmp_path, "f A s 0 0.1 a\nf A s 0.1 1 b\n", "f A 0.05 0.1 a\n")
    assert [one.hyp for one in read_.utterances] == [["a"], []]


def test_words_that_a_glm_splits_share_their_time(tmp_path):
    glm = tmp_path / "x.glm"
    glm.write_text(
        ";;\nCANNOT => CAN NOT\nHM => / [ ] __ [ ]\n[I'D] => [{I HAD / I}]\n"
    )
    stm = "f A s 0 1 can\nf A s 1 2 not\n"
    ctm = "f A 0.6 0.8 cannot .5\nf A 1.2 .1 hm .3\nf A 1.5 .2 i'd .9\n"
    first, second = timed(tmp_path, stm, ctm, rewriting=Rewriting(glm=glm)).utterances
    # csrfilt.sh would make a word of the confidence of what a rule deletes.
    assert first.hyp == ["can"]
    assert second.hyp == ["not", [["i", "had"], ["i"]]]


def test_an_alternative_may_be_no_word(tmp_path):
    # sclite 2.10 loses the alternative behind one that is empty, against its manual.
    ctm = "f A * * <ALT_BEGIN>\nf A * * <ALT>\nf A .3 .1 b\nf A * * <ALT_END>\n"
    [one] = timed(tmp_path, "f A s 0 1 b\n", ctm).utterances
    assert one.hyp == [[["@"], ["b"]]]
    assert score_marked([one], Marks()).errors == 0


def test_braces_in_a_ctm_are_letters_without_a_glm(tmp_path):
    [one] = timed(tmp_path, "f A s 0 1 {a/b}\n", "f A 0 1 {a/b}\n").utterances
    assert (one.ref, one.hyp) == ([[["a"], ["b"]]], ["{a/b}"])


def test_files_and_channels_of_both_sides(tmp_path, caplog):
    with pytest.raises(InputError, match=r"no segment of 1 of 1 channels: f 1; are"):
        timed(tmp_path, "f A s 0 1 a\n", "f 1 0 1 a\n")
    read_ = timed(tmp_path, "f A s 0 1 a\nf B t 0 1 b\n", "F a 0 1 A\n")
    assert [one.hyp for one in read_.utterances] == [["a"], []]
    assert "no word of 1 of 2 channels: f b; all words there count as" in caplog.text


def test_subsets(tmp_path):
    stm = """;; CATEGORY "0" "" ""
;; LABEL "O" "Overall" "x"
;; LABEL "SWB" "Switchboard" "x"
f A s 0 1 <O,SWB> a b
f A s 1 2 <O,XX> a b
f A t 2 3 <O,XX>
f A s 3 4 a
f A s 4 5 <O,,> a
"""
    read_ = timed(tmp_path, stm, "f A 0 .5 a\nf A 2.2 .2 a\n")
    score = score_marked(read_.utterances, Marks())
    groups = list(subset_groups(read_, score))
    assert [title for title, _ in groups] == ["subset", "subset"]
    [[whole], parts] = [found for _, found in groups]
    assert (whole.name, whole.words, whole.errors) == ("Overall", 5, 5)
    # One without a LABEL line; one whose second speaker has no reference word.
    assert [(one.name, one.words, one.dels, one.ins) for one in parts] == [
        ("Switchboard", 2, 1, 0), ("xx", 2, 2, 1),
    ]  # fmt: skip
