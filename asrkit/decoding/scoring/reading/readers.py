"""Reads decoded sets: hypotheses beside their references, speakers and durations."""

import logging
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from asrkit.decoding.scoring.reading.alignments import speechbrain_rows, wenet_rows
from asrkit.decoding.scoring.reading.documents import document_rows
from asrkit.decoding.scoring.reading.formats import ScoringFormat, tell_format
from asrkit.decoding.scoring.reading.lines import ScoredLine, line_rows, parse_seconds
from asrkit.decoding.scoring.reading.recordings import ctm_rows, stm_rows
from asrkit.decoding.scoring.score import Hypothesis
from asrkit.utils.errors import InputError
from asrkit.utils.text_file import read_lines, read_text

logger = logging.getLogger(__name__)

_LISTED = 5
_MARKED = re.compile(r"\(.+\)|@")

T = TypeVar("T")
Texts = dict[str, list[str]]
"""Words by id."""


@dataclass
class _Sides:
    """What a file says of its utterances, by id."""

    ref: Texts = field(default_factory=dict)
    hyp: Texts = field(default_factory=dict)
    text: Texts = field(default_factory=dict)
    """Of a file with one side, whichever it is."""
    speaker: dict[str, str] = field(default_factory=dict)
    duration: dict[str, float] = field(default_factory=dict)


def read_decode(
    path: Path,
    reference: Path | None = None,
    *,
    format: ScoringFormat | None = None,
    missing_as_empty: bool = False,
) -> list[Hypothesis]:
    """Read the hypotheses of a set with their references.

    Args:
        path: Hypotheses; recogs and JSONL files may hold the references too.
        reference: File of the references, if they are elsewhere.
        format: Of `path`; by default its name and first line tell.
        missing_as_empty: Whether an utterance without a hypothesis counts as one with
            an empty hypothesis; the log says how many.

    Raises:
        InputError: A file is missing, empty or malformed, an id is there twice, or one
            side lacks utterances of the other.
    """
    decoded = _read(path, format)
    if reference is None:
        if decoded.text and not decoded.hyp:
            raise InputError(
                f"{path} holds one text an utterance; give the references with --ref"
            )
        original, names = decoded, (f"{path} (ref)", f"{path} (hyp)")
        hyps = decoded.hyp
    else:
        original, names = _read(reference, None), (str(reference), str(path))
        hyps = decoded.hyp or decoded.text
    refs = original.text | original.ref
    lost = [id_ for id_ in hyps if id_ not in refs]
    if lost:
        raise InputError(
            f"{names[0]} lacks {named(lost, hyps)}; each needs its reference"
        )
    hyps = hyps | _missing(refs, hyps, names[1], as_empty=missing_as_empty)
    speakers = original.speaker | decoded.speaker
    durations = original.duration | decoded.duration
    return [
        Hypothesis(id_, words, hyps[id_], speakers.get(id_), durations.get(id_))
        for id_, words in refs.items()
    ]


def with_speakers(hypotheses: list[Hypothesis], path: Path) -> list[Hypothesis]:
    """Add the speakers that an utt2spk file (`ID SPEAKER` lines) names.

    Raises:
        InputError: The file is malformed or lacks an utterance.
    """
    speakers = _read_table(path, hypotheses)
    return [replace(one, speaker=speakers[one.id]) for one in hypotheses]


def with_durations(hypotheses: list[Hypothesis], path: Path) -> list[Hypothesis]:
    """Add the durations that an utt2dur file (`ID SECONDS` lines) lists.

    Raises:
        InputError: The file is malformed or lacks an utterance.
    """
    table = _read_table(path, hypotheses)
    return [
        replace(one, duration=parse_seconds(table[one.id], f"{path}: {one.id}"))
        for one in hypotheses
    ]


def _read(path: Path, format: ScoringFormat | None) -> _Sides:
    sides = _Sides()
    for where, row in read_rows(path, format):
        _add(sides, row, where)
    return sides


def read_rows(
    path: Path, format: ScoringFormat | None
) -> Iterator[tuple[str, ScoredLine]]:
    """Return where a file, or a folder of Whisper's results, says what.

    Args:
        path: The file or folder.
        format: By default the file's name and first lines tell.

    Raises:
        InputError: It cannot be read, or is malformed.
    """
    if path.is_dir():
        files = sorted(path.glob("*.json"))  # one a recording
        if not files:
            raise InputError(f"{path} is a folder without .json files; name a file")
        for file in files:
            yield from read_rows(file, format)
        return
    text = read_text(path)
    if not text.strip():
        raise InputError(f"{path} is empty; check what should have written it")
    format = format or tell_format(path, text)
    if format in _FILES:
        yield from _FILES[format](path, text)
    else:
        rows = list(line_rows(path, text, format))
        if format is ScoringFormat.TRN:
            _refuse_marks(path, [row for _, row in rows])
        yield from rows


_FILES: dict[ScoringFormat, Callable[[Path, str], Iterator[tuple[str, ScoredLine]]]] = {
    ScoringFormat.JSON: document_rows,
    ScoringFormat.SPEECHBRAIN: speechbrain_rows,
    ScoringFormat.WENET: wenet_rows,
    ScoringFormat.STM: stm_rows,
    ScoringFormat.CTM: ctm_rows,
}


def _refuse_marks(path: Path, rows: list[ScoredLine]) -> None:
    """Say that sclite's marks would be taken for words."""
    words = Counter(word for row in rows for word in row.text or ())
    if any(brace in word for word in words for brace in "{}"):
        raise InputError(
            f"{path} has alternatives such as {{ a / b }}, which are words here; "
            "score with --sclite"
        )
    marked = sum(n for word, n in words.items() if _MARKED.fullmatch(word))
    if marked:
        logger.warning(
            "%s has %d words such as (uh) or @, which count as they stand; with "
            "--sclite, and -D, they are marks", path, marked,
        )  # fmt: skip


def _add(sides: _Sides, row: ScoredLine, where: str) -> None:
    for column, words in (
        (sides.ref, row.ref), (sides.hyp, row.hyp), (sides.text, row.text),
    ):  # fmt: skip
        if words is not None:
            _add_once(column, row.id, words, where)
    if row.speaker is not None:
        sides.speaker[row.id] = row.speaker
    if row.duration is not None:
        sides.duration[row.id] = row.duration


def _add_once(column: dict[str, T], id_: str, value: T, where: str) -> None:
    if id_ in column:
        raise InputError(
            f"{where}: utterance {id_} is there twice; remove one of the lines"
        )
    column[id_] = value


def _missing(refs: Texts, hyps: Texts, name: str, *, as_empty: bool) -> Texts:
    """Return empty hypotheses for utterances without one, if that is allowed."""
    lost = [id_ for id_ in refs if id_ not in hyps]
    if lost and not as_empty:
        raise InputError(
            f"{name} lacks {named(lost, refs)}; an empty result needs a line too, "
            "or count all that is missing as deleted with --missing-as-empty"
        )
    if lost:
        logger.warning("%s lacks %s; they count as empty", name, named(lost, refs))
    return {id_: [] for id_ in lost}


def named(ids: Collection[str], of: Collection[Any], what: str = "utterances") -> str:
    """Return how many of how many things, and some of their names."""
    listed = ", ".join(list(ids)[:_LISTED])
    more = " and others" if len(ids) > _LISTED else ""
    return f"{len(ids)} of {len(of)} {what}: {listed}{more}"


def _read_table(path: Path, hypotheses: list[Hypothesis]) -> dict[str, str]:
    """Read `ID VALUE` lines that have to cover all utterances."""
    table: dict[str, str] = {}
    for number, line in read_lines(path):
        # Other toolkits put a space, and their speakers have none in them.
        parts = line.split("\t") if "\t" in line else line.split()
        if len(parts) != 2:
            raise InputError(
                f"{path}:{number}: expected `ID VALUE`, found {line[:60]!r}"
            )
        _add_once(table, parts[0], parts[1], f"{path}:{number}")
    lost = [one.id for one in hypotheses if one.id not in table]
    if lost:
        ids = [one.id for one in hypotheses]
        raise InputError(f"{path} lacks {named(lost, ids)}; add them")
    return table
