"""Rules that make words to train on of what transcripts of telephone speech write.

A transcript goes through a list of rules, one mark each, and comes out in upper case.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from asrkit.data.left_out import UnusableError

MS_STATE = "Rules for the resegmentation of Switchboard, ISIP, MS State, 1998"
HUB5 = "Hub5'00 references, LDC2002T43; SCTK's description of stm files"
FISHER = "Fisher transcripts, LDC2004T19"

_FOREIGN = re.compile(r"[^A-Z0-9'&\[\]\s-]")
_DOUBTFUL = re.compile(r"\(\(|\)\)")
# A word, some of whose letters may be in brackets.
_WORD = r"(?:[^\[\]\s/]|\[[^\[\]\s]*\])+"


@dataclass(frozen=True)
class Rule:
    """What is found, and what is put there instead."""

    find: str
    put: str | Callable[[re.Match[str]], str]
    source: str
    """Who describes the mark."""

    def apply(self, text: str) -> str:
        """Return a text with the mark replaced wherever it is."""
        return re.sub(self.find, self.put, text, flags=re.IGNORECASE)


def _spelt(found: re.Match[str]) -> str:
    return " ".join(re.findall("[a-z]", found[1], re.IGNORECASE)) + (found[2] or "")


MISPRONOUNCED = Rule(rf"\[{_WORD}/([^\[\]\s]+)\]", r"\1", MS_STATE)
"""`[splane/explain]` and `[WEA[SONABLE]-/REASONABLE]`: what was meant."""
LAUGHED = Rule(rf"\[laughter-({_WORD})\]", r"\1", MS_STATE)
"""`[laughter-yes]`: the word that was said laughing."""
COINED = Rule(r"\{([^{}\s]+)\}", r"\1", MS_STATE)
"""`{weatherwise}`: a word that is in no dictionary."""
VARIANT = Rule(r"(?<=[^\s_])_\d+(?!\S)", "", MS_STATE)
"""`them_1`: a reduced pronunciation of a word."""
ASIDE = Rule(r"<[be]_aside>", " ", MS_STATE)
"""`<b_aside> ... <e_aside>`: to someone in the room; the words stay."""
SILENCE = Rule(r"\[silence\]", " ", MS_STATE)
NO_NOISES = Rule(r"\[(?:noise|laughter|vocalized-noise)\]", " ", MS_STATE)
"""Drops what is no word; without this rule `[NOISE]` is a word to be recognized."""
FRAGMENT_END = Rule(r"(?<!\S)([^\[\]\s]+)\[[^\[\]\s]*\]-(?!\S)", r"\1-", MS_STATE)
"""`tea[cher]-` becomes `tea-`."""
FRAGMENT_START = Rule(r"(?<!\S)-\[[^\[\]\s]*\]([^\[\]\s]+)", r"-\1", MS_STATE)
"""`-[ki]tchen` becomes `-tchen`."""
NO_FRAGMENTS = Rule(r"(?<!\S)(?:\S*[^\s-]-|-[^\s-]\S*)(?!\S)", " ", MS_STATE)
"""Drops `tea-` and `-tchen`; without this rule they are words to be recognized."""
DASH = Rule(r"(?<!\S)-+(?!\S)", " ", MS_STATE)
"""A broken sentence."""
LETTERS = Rule(r"(?<!\S)((?:[a-z]\._?)+)('?s)?(?!\S)", _spelt, HUB5)
"""`t.v.` and Fisher's `t._v.`: a word a letter, `T V`."""
ALTERNATIVES = Rule(r"\{\s*([^{}/]*?)\s*/[^{}]*\}", r"\1", HUB5)
"""`{ can not / cannot }`: the first one."""
NULL_WORD = Rule(r"(?<!\S)@(?!\S)", " ", HUB5)
"""`@`: no word, among alternatives."""
OPTIONAL = Rule(r"[()]", " ", HUB5)
"""`(uh)`, `((mhm)`: a word that may lack; it was said."""
HESITATION = Rule(r"%hesitation", "uh", HUB5)
SOUND = Rule(r"\[[^\[\]]*\]", " ", FISHER)
"""`[laughter]`, `[mn]`, `[[skip]]`."""

OTHER = Rule(r"[^a-z0-9'&\s-]", " ", HUB5)
"""Anything else: no utterance of a test set may lack."""

_FRAGMENTS = (FRAGMENT_END, FRAGMENT_START)
WITH_MARKS = (
    MISPRONOUNCED, LAUGHED, COINED, VARIANT, ASIDE, SILENCE, *_FRAGMENTS, DASH, LETTERS,
)  # fmt: skip
"""MS-State's transcripts, noises and fragments as words."""
TRAINING = (*WITH_MARKS, NO_NOISES, NO_FRAGMENTS)
"""MS-State's transcripts, nothing but words."""
REFERENCE = (
    ALTERNATIVES, NULL_WORD, OPTIONAL, HESITATION, ASIDE, *_FRAGMENTS, DASH, LETTERS,
    NO_FRAGMENTS, OTHER,
)  # fmt: skip
"""Hub5's references, where one plain text is wanted; stm and glm are what counts."""
CONVERSATION = (SOUND, SOUND, DASH, LETTERS, NO_FRAGMENTS)
"""Fisher's transcripts."""


def normalize(text: str, rules: Sequence[Rule]) -> str:
    """Return a transcript's words in upper case; it may have none.

    Raises:
        UnusableError: The transcriber was in doubt (`((`), or there is a character left
            that no rule is for.
    """
    for rule in rules:
        text = rule.apply(text)
    text = " ".join(text.upper().split())
    if _DOUBTFUL.search(text):
        raise UnusableError("the transcriber was in doubt: ((")
    if foreign := sorted(set(_FOREIGN.findall(text))):
        raise UnusableError(f"no rule is for {' '.join(foreign)} in its text")
    return text
