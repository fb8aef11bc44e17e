"""Forms of regular English words, all in capital letters."""

import re

# One syllable of one short vowel and one consonant doubles the consonant: STOP, BIG.
_DOUBLING = re.compile("[^AEIOU]*[AEIOU][^AEIOUWXY]")
_CONSONANT_Y = re.compile(".*[^AEIOU]Y")


def plural(noun: str) -> str:
    """Return BOXES of BOX; also what she does: CARRIES of CARRY."""
    if _CONSONANT_Y.fullmatch(noun):
        return noun[:-1] + "IES"
    return noun + ("ES" if noun.endswith(("S", "X", "Z", "CH", "SH")) else "S")


def past(verb: str) -> str:
    """Return STOPPED of STOP."""
    return _joined(verb, "ED")


def participle(verb: str) -> str:
    """Return STOPPING of STOP."""
    if verb.endswith("E") and not verb.endswith("EE"):
        return verb[:-1] + "ING"
    return _doubled(verb) + "ING"


def comparative(adjective: str) -> str:
    """Return BIGGER of BIG."""
    return _joined(adjective, "ER")


def superlative(adjective: str) -> str:
    """Return BIGGEST of BIG."""
    return _joined(adjective, "EST")


def adverb(adjective: str) -> str:
    """Return HAPPILY of HAPPY."""
    if adjective.endswith("LE"):
        return adjective[:-1] + "Y"
    return _with_i(adjective) + "LY"


def quality(adjective: str) -> str:
    """Return HAPPINESS of HAPPY."""
    return _with_i(adjective) + "NESS"


def _joined(stem: str, ending: str) -> str:
    """Add an ending that begins with E."""
    if stem.endswith("E"):
        return stem + ending[1:]
    return _with_i(_doubled(stem)) + ending


def _doubled(stem: str) -> str:
    return stem + stem[-1] if _DOUBLING.fullmatch(stem) else stem


def _with_i(stem: str) -> str:
    return stem[:-1] + "I" if _CONSONANT_Y.fullmatch(stem) else stem
