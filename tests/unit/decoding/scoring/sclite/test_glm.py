"""Global mapping files: rules, contexts, parts for some input, what is wrong."""

import pytest

from asrkit.decoding.scoring.sclite.glm import read_glm
from asrkit.utils.errors import InputError
from tests.unit.decoding.scoring.sclite.real import HERE


def applied(text, applies_to=("trn", "ref"), *, keep_case=False, split_hyphens=True):
    glm = read_glm(
        HERE / "rules.glm", applies_to, keep_case=keep_case, split_hyphens=split_hyphens
    )
    return glm.apply(text, "x")


# What csrfilt.sh 1.17 makes of these.
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("uh uh hm", "(%HESITATION) (%HESITATION) HM"),
        ("i'd cannot", "{I HAD / I WOULD} CAN NOT"),
        ("mr. x [noise] y", "MISTER X @ Y"),
        ("colours", "colorS"),
        ("t. shirt t. x", "TEE SHIRT T. X"),
        ("william falkner falkner", "WILLIAM FAULKNER FALKNER"),
        ("united states' x", "UNITED STATES X"),
        ("ok then gone", "O. K. THEN"),
        ("well-known th- -ing a--b {a-b / c}", "WELL KNOWN TH- -ING A -B {A B / C}"),
        ("(well-known x) (uh) y", "(WELL) (KNOWN) (X) ((%HESITATION)) Y"),
        ("she's onlyhyp both", "SHE'S ONLYHYP BOTH"),
        ("é", "é"),
    ],
)
def test_rules(text, expected):
    assert applied(text) == expected


def test_parts_for_some_input():
    assert applied("she's onlyhyp both", ("ctm", "hyp")) == (
        "{SHE IS / SHE HAS} HYPPED BOTHS"
    )
    assert applied("she's onlyhyp both", ("stm", "ref")) == "SHE'S ONLYHYP BOTHS"


def test_case_and_hyphens_may_stay():
    assert applied("A-b Uh", keep_case=True, split_hyphens=False) == "A-b (%HESITATION)"


def read(path, text):
    path.write_text(text, encoding="utf-8")
    return read_glm(path, ["trn"], keep_case=False, split_hyphens=False)


def test_alternatives_without_context_are_not_cut(tmp_path):
    # rfilter1 takes the slash for a context's and leaves `[{HE IS`.
    glm = read(
        tmp_path / "x.glm",
        ';;\n* case_sensitive = "T"\n[HE\'S] => [{HE IS / HE HAS}]\n',
    )
    assert glm.apply("he's HE'S", "x") == "{HE IS / HE HAS} {HE IS / HE HAS}"
    assert read(tmp_path / "x.glm", ";;\nAND/OR => AND OR\n").apply(
        "a and/or b", "x"
    ) == ("A AND OR B")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("A => B\n", "a glm begins with a comment"),
        (";;\nA B\n", r"x\.glm:2: expected `FIND => PUT`, found 'A B'"),
        (";;\n[] => B\n", r"x\.glm:2: expected `FIND => PUT`"),
        (";;\n* format = 'NIST2'\n", "its format is not NIST1"),
        (";;\n* copy_no_hit = 'F'\n", "drops what no rule finds"),
    ],
)
def test_bad_files(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read(tmp_path / "x.glm", text)


@pytest.mark.parametrize("text", ["a (b", "a) b", "((a) b"])
def test_parentheses_that_do_not_match(text):
    with pytest.raises(InputError, match="x: parentheses do not match"):
        applied(text)
