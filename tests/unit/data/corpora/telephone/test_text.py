"""The rules that make words of telephone transcripts, one by one."""

import pytest

from asrkit.data.corpora.telephone import text
from asrkit.data.corpora.telephone.text import (
    CONVERSATION,
    REFERENCE,
    TRAINING,
    WITH_MARKS,
    normalize,
)
from asrkit.data.left_out import UnusableError


@pytest.mark.parametrize(
    ("rule", "written", "expected"),
    [
        ("MISPRONOUNCED", "[WEA[SONABLE]-/REASONABLE]", "REASONABLE"),
        ("MISPRONOUNCED", "[splane/explain] it", "explain it"),
        ("MISPRONOUNCED", "and/or [noise]", "and/or [noise]"),
        ("LAUGHED", "[laughter-yes] [laughter]", "yes [laughter]"),
        ("LAUGHED", "[laughter-th[at]-]", "th[at]-"),
        ("COINED", "{weatherwise} it", "weatherwise it"),
        ("VARIANT", "them_1 because_2's about_1", "them because_2's about"),
        ("ASIDE", "<b_aside> no <E_ASIDE>", "  no  "),
        ("SILENCE", "[silence]", " "),
        ("NO_NOISES", "[noise] a [laughter]", "  a  "),
        ("NO_NOISES", "[vocalized-noise] [laughter-b]", "  [laughter-b]"),
        ("FRAGMENT_END", "tea[cher]- b", "tea- b"),
        ("FRAGMENT_START", "a -[ki]tchen", "a -tchen"),
        ("NO_FRAGMENTS", "tea- -tchen uh-huh - --", "    uh-huh - --"),
        ("DASH", "a - b -- c-d", "a   b   c-d"),
        ("LETTERS", "t.v. a t._v.'s u. s. mr. a.", "t v a t v's u s mr. a"),
        ("ALTERNATIVES", "{ i'd / i would } go { @ / so }", "i'd go @"),
        ("NULL_WORD", "a @ b@c", "a   b@c"),
        ("OPTIONAL", "(uh) ((mhm)", " uh    mhm "),
        ("HESITATION", "%HESITATION no", "uh no"),
        ("SOUND", "[mn] a [laughter]", "  a  "),
        ("OTHER", "a? b-c d's", "a  b-c d's"),
    ],
)  # fmt: skip
def test_a_rule_alone(rule, written, expected):
    assert getattr(text, rule).apply(written) == expected


@pytest.mark.parametrize(
    ("rules", "written", "expected"),
    [
        (TRAINING, "[laughter-i'm_1] [noise] a- -- t.v.", "I'M T V"),
        (TRAINING, "[silence]", ""),
        (TRAINING, "[laughter-splane/explain] um-hum", "EXPLAIN UM-HUM"),
        (TRAINING, "[laughter-th[at]-] [WEA[S]-/REASON]", "REASON"),
        (WITH_MARKS, "tea[cher]- [noise] yes", "TEA- [NOISE] YES"),
        (REFERENCE, "((oh) { i'd / i would } <B_ASIDE> tea-", "OH I'D"),
        (REFERENCE, "(%hesitation) a? b", "UH A B"),
        (CONVERSATION, "[[skip]] uh-huh t._v.", "UH-HUH T V"),
    ],
)  # fmt: skip
def test_rules_together(rules, written, expected):
    assert normalize(written, rules) == expected


@pytest.mark.parametrize(
    ("written", "reason"), [("((so)) yes", "in doubt"), ("a 5 % b", "no rule is for %")]
)
def test_what_cannot_be_used(written, reason):
    with pytest.raises(UnusableError, match=reason):
        normalize(written, TRAINING)


def test_every_rule_names_its_source():
    rules = {*TRAINING, *REFERENCE, *CONVERSATION}
    assert all(rule.source for rule in rules)
