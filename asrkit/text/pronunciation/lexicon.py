"""Pronunciation lexicons: asrkit's own files, CMUdict's, Kaldi's and MFA's."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from asrkit.text.tokenizer import SPECIAL_PIECES, decode_utf8
from asrkit.utils.errors import InputError

Pronunciations = dict[str, list[list[str]]]
"""The phones of each word: all its pronunciations, the most usual one first."""

WORD_END = "#"
"""Marks the last phone of a word where phones are tokens."""

_COMMENTS = ("#", ";;;")
# CMUdict has comments behind entries (`aalto AA1 L T OW2 # name, finnish`), Kaldi tells
# homophones apart (`READ R EH D #1`).
_BEHIND = re.compile(r"\s#(\s.*|\d*)$")
_VARIANT = re.compile(r"(.+)\(\d+\)")
_NUMBER = re.compile(r"\d+(\.\d*)?([eE]-?\d+)?|\.\d+")
_DECIMAL = re.compile(r"\d+\.\d*([eE]-?\d+)?|\.\d+|\d+[eE]-\d+")
# Kaldi's lexiconp.txt has a pronunciation's probability; its lexiconp_silprob.txt and
# MFA have three numbers about silences, too. In MFA's, entries may lack any of them.
_COLUMNS = (0, 1, 4)


class _Entry(NamedTuple):
    line: int
    word: str
    fields: list[str]
    """Numbers, if there are any, then phones."""
    numbers: int | None
    """How many fields are numbers; None: the line alone does not tell."""


def parse_pronunciations(name: str, content: bytes) -> Pronunciations:
    """Read the phones of each word: all its pronunciations.

    A line is a word and its phones, separated by blanks or tabs. Blank lines and lines
    that begin with `#` or `;;;` are skipped, as is what follows a ` # `. A word may
    have several lines; `READ(2)` is another pronunciation of READ if that is there.
    One number or four between word and phones are probabilities: the most probable
    pronunciation comes first then. Otherwise they are in the order of the file.

    Phones may look like numbers (X-SAMPA's `2`). What stands between the first tab
    and the last one is a number; without tabs, it is a column of numbers in all lines,
    or has a decimal point.

    Args:
        name: Name of the file, for messages.
        content: What is in it.

    Raises:
        InputError: A line has no phone, or a phone that ends in the word-end mark, is a
            special piece or a decimal number; or there is no word at all.
    """
    entries = _entries(decode_utf8(name, content).removeprefix("\ufeff"))
    if not entries:
        raise InputError(f"{name} has no words; write lines like 'HELLO HH AH L OW'")
    shared = _shared_columns([one.fields for one in entries if one.numbers is None])
    words = {one.word for one in entries}
    good: set[str] = set()
    ways: dict[str, dict[tuple[str, ...], float]] = {}
    for one in entries:
        numbers = _count_numbers(one, shared)
        phones = tuple(one.fields[numbers:])
        if numbers not in _COLUMNS or not phones or not good.issuperset(phones):
            _check(f"{name}, line {one.line}", one.word, numbers, phones)
            good.update(phones)
        variant = _VARIANT.fullmatch(one.word) if one.word.endswith(")") else None
        word = variant[1] if variant and variant[1] in words else one.word
        probability = float(one.fields[0]) if numbers else 1.0
        ways.setdefault(word, {}).setdefault(phones, probability)
    return {word: _most_probable_first(found) for word, found in ways.items()}


def _most_probable_first(ways: dict[tuple[str, ...], float]) -> list[list[str]]:
    return [list(way) for way in sorted(ways, key=lambda way: -ways[way])]


def _entries(text: str) -> list[_Entry]:
    entries = []
    for number, line in enumerate(text.splitlines(), start=1):
        line = line.strip()
        if not line or line.startswith(_COMMENTS):
            continue
        if WORD_END in line:
            line = _BEHIND.sub("", line)
        word, *fields = line.split()
        before = line.rpartition("\t")[0].split()[1:]
        tabbed = before and all(map(_NUMBER.fullmatch, before))
        numbers = len(before) if tabbed else None
        entries.append(_Entry(number, word, fields, numbers))
    return entries


def _shared_columns(lines: Sequence[Sequence[str]]) -> int:
    """Count the columns before the phones that hold a number in every line."""
    for k in range(max(_COLUMNS)):
        column = [fields[k] if k + 1 < len(fields) else "" for fields in lines]
        if not all(map(_NUMBER.fullmatch, column)):
            return k
        # Whole numbers alone may be phones.
        if not any(map(_DECIMAL.fullmatch, column)):
            return k
    return max(_COLUMNS)


def _count_numbers(entry: _Entry, shared: int) -> int:
    """Count the fields of an entry that are numbers before its phones."""
    if entry.numbers is not None:
        return entry.numbers
    numbers = shared
    for k, field in enumerate(entry.fields[:-1]):
        if not _NUMBER.fullmatch(field):
            break
        if _DECIMAL.fullmatch(field):
            numbers = max(numbers, k + 1)
    return numbers


def _check(where: str, word: str, numbers: int, phones: Sequence[str]) -> None:
    if numbers not in _COLUMNS:
        raise InputError(
            f"{where}: {numbers} numbers stand before the phones of word {word!r}; 1 "
            "is a probability as in Kaldi's lexiconp.txt, 4 are MFA's; remove others"
        )
    if not phones:
        raise InputError(
            f"{where}: word {word!r} has no phones; write them after the word"
        )
    for phone in phones:
        if phone.endswith(WORD_END) or phone in SPECIAL_PIECES:
            raise InputError(
                f"{where}: {phone!r} cannot be a phone, since names that end in "
                f"{WORD_END!r} and {SPECIAL_PIECES} have a meaning; rename it"
            )
        if _DECIMAL.fullmatch(phone):
            raise InputError(
                f"{where}: {phone!r} cannot be a phone; probabilities stand between "
                "the word and its phones"
            )
