"""Reports of other toolkits that show both sides' words: SpeechBrain's and WeNet's."""

import logging
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from asrkit.decoding.scoring.reading.lines import ScoredLine
from asrkit.utils.errors import InputError

logger = logging.getLogger(__name__)

_SPEECHBRAIN_HEAD = re.compile(
    r"(?P<id>.+), %WER \S+ \[ \d+ / \d+, \d+ ins, \d+ del, \d+ sub \]"
)
_ABSENT = re.compile(r"Scored \d+ sentences, (\d+) not present in hyp\.")
_SEPARATOR = " ; "
_WENET_LINE = re.compile(r"(?P<name>utt|lab|rec)(\([^)]*\))?: ?(?P<value>.*)")


def speechbrain_rows(path: Path, text: str) -> Iterator[tuple[str, ScoredLine]]:
    """Return what SpeechBrain's `wer.txt` says of utterances, in three lines each.

    Raises:
        InputError: It is malformed, or has no alignments.
    """
    lines = enumerate(text.split("\n"), start=1)
    found = False
    for number, line in lines:
        where = f"{path}:{number}"
        absent = _ABSENT.match(line)
        if absent is not None and absent[1] != "0":
            logger.warning("%s lacks %s utterances without hypothesis", path, absent[1])
        head = _SPEECHBRAIN_HEAD.fullmatch(line.rstrip())
        if head is not None:
            found = True
            cells = [row.split(_SEPARATOR) for _, row in islice(lines, 3)]
            yield where, _aligned(head["id"], cells, where)
    if not found:
        raise InputError(
            f"{path} is a report of errors without the words of both sides; give the "
            "file with alignments, or hypotheses and references"
        )


def wenet_rows(path: Path, text: str) -> Iterator[tuple[str, ScoredLine]]:
    """Return what WeNet's compute-wer.py printed: `utt:`, `lab:` and `rec:` lines.

    Raises:
        InputError: A line is out of place.
    """
    id_, where = "", ""
    sides: dict[str, list[str]] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        match = _WENET_LINE.fullmatch(line.rstrip())
        if match is None:
            continue
        if match["name"] == "utt":
            if sides:
                yield where, ScoredLine(id_, ref=sides["lab"], hyp=sides["rec"])
            id_, where, sides = (
                match["value"],
                f"{path}:{number}",
                {"lab": [], "rec": []},
            )
        else:
            # A long utterance goes on in further lines.
            sides[match["name"]] += match["value"].split()
    yield where, ScoredLine(id_, ref=sides["lab"], hyp=sides["rec"])


def _aligned(id_: str, cells: list[list[str]], where: str) -> ScoredLine:
    """Return both sides of lines with references, operations and hypotheses."""
    if len(cells) < 3 or len({len(row) for row in cells}) > 1:
        raise InputError(
            f"{where}: expected three lines of as many words of {id_}; is a word `;`?"
        )
    refs, operations, hyps = ([cell.strip() for cell in row] for row in cells)
    # A blank word is what an empty text becomes when it is split.
    return ScoredLine(
        id_,
        ref=[
            word
            for word, done in zip(refs, operations, strict=True)
            if done != "I" and word
        ],
        hyp=[
            word
            for word, done in zip(hyps, operations, strict=True)
            if done != "D" and word
        ],
    )
