"""report.html: decoded sets on one page that opens from disk and needs no network.

The page is put together from the files in report/ and from compact data: each
utterance's reference as one text, and of each system's words only those that differ.
"""

import html
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import Any

from asrkit.decoding.scoring.breakdown import (
    Aspect,
    Group,
    WordErrors,
    count_pairs,
    group_by,
    word_errors,
)
from asrkit.decoding.scoring.error_unit import ErrorUnit
from asrkit.decoding.scoring.score import GAP, Score, WordAlignment
from asrkit.decoding.scoring.significance import compare
from asrkit.utils.errors import InputError
from asrkit.utils.files import atomic_write

_SCRIPTS = ["data.js", "plots.js", "sections.js", "utterances.js", "main.js"]
_FREQUENT = 300
_NO_BREAK_SPACE = "\u00a0"


@dataclass(frozen=True)
class Decoded:
    """A set as one system decoded it."""

    set_name: str
    method: str
    """Name of the system, such as "greedy"."""
    score: Score
    rtfx: float | None = None
    """Seconds of audio decoded in a second."""
    memory_mib: float | None = None
    """Most memory in use."""
    versus: "Decoded | None" = None
    """What a second system made of the same set, to compare with."""
    notes: list[str] = field(default_factory=list)
    """What to know of its score."""
    subsets: list[tuple[str, list[Group]]] = field(default_factory=list)
    """Of a set with labelled segments: titles of categories, and their groups."""


def write_html_report(
    path: Path,
    sets: Sequence[Decoded],
    *,
    title: str = "Decoding report",
    note: str = "",
) -> None:
    """Write the page of one or several decoded sets.

    Args:
        path: File to write.
        sets: What was decoded, in the order of the page; a set may be there more than
            once, with different methods.
        title: Heading.
        note: A line below it, such as how texts were normalized.

    Raises:
        InputError: There are no sets, or the two systems of a set did not decode the
            same utterances.
    """
    if not sets:
        raise InputError(f"no sets to report in {path}; decode or score one first")
    page = _read("page.html")
    # The data come last: nothing in them is taken for a place to fill.
    for place, text in (
        ("title", html.escape(title)),
        ("note", html.escape(note)),
        ("style", _read("page.css")),
        ("script", "\n".join(_read(name) for name in _SCRIPTS)),
    ):
        page = page.replace("{{" + place + "}}", text)
    data = {"sets": [_set(one) for one in sets]}
    with atomic_write(path, "w") as file:
        file.write(page.replace("{{data}}", _embeddable(data)))


def _read(name: str) -> str:
    folder = resources.files("asrkit.decoding.scoring") / "report"
    return (folder / name).read_text(encoding="utf-8")


def _embeddable(data: Any) -> str:
    """Return JSON in which no character can end the script element around it."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c")


def _set(decoded: Decoded) -> dict[str, Any]:
    scores = [decoded.score]
    systems = [_system(decoded)]
    comparison = None
    if decoded.versus is not None:
        scores.append(decoded.versus.score)
        systems.append(_system(decoded.versus))
        comparison = _comparison(*scores)
        _check_readings(*scores)
        scores = _with_same_facts(*scores)
    alignments = scores[0].alignments
    return {
        "name": decoded.set_name,
        "unit": _unit(decoded.score.counted),
        "systems": systems,
        "comparison": comparison,
        "groups": _groups(scores),
        "frequent": _frequent(scores),
        "ids": [one.id for one in alignments],
        "refs": [_reference(one) for one in alignments],
        "speakers": _speakers(alignments),
        "durations": _durations(alignments),
        "edits": [[_edits(one) for one in score.alignments] for score in scores],
    }


def _check_readings(a: Score, b: Score) -> None:
    """Refuse systems that do not stand beside one text, whatever both are to fit."""
    pairs = zip(a.alignments, b.alignments, strict=True)
    other = sum(one.ref != two.ref for one, two in pairs)
    if other:
        raise InputError(
            f"in {other} utterances the systems fit other alternatives of the "
            "reference best, which the page cannot show; leave out --html or --compare"
        )


def _unit(counted: ErrorUnit) -> dict[str, str]:
    """Return what the page calls what is counted, and what stands between them."""
    return {
        "rate": counted.rate,
        "one": counted.noun,
        "many": counted.plural,
        "gap": "" if counted is ErrorUnit.CHARACTER else " ",
    }


def _system(decoded: Decoded) -> dict[str, Any]:
    score = decoded.score
    return {
        "method": decoded.method,
        "rate": score.rate,
        "low": score.ci95[0],
        "high": score.ci95[1],
        "over": score.unit.value,
        "cer": score.cer,
        "errors": score.errors,
        "words": score.words,
        "ins": score.ins,
        "dels": score.dels,
        "subs": score.subs,
        "utterances": score.utterances,
        "empty": score.empty,
        "rtfx": decoded.rtfx,
        "memory": decoded.memory_mib,
    }


def _comparison(a: Score, b: Score) -> dict[str, Any]:
    result = compare(a, b)
    return {
        "difference": result.difference,
        "low": result.ci95[0],
        "high": result.ci95[1],
        "p": result.p_value,
        "significant": result.significant,
        "unit": result.unit.value,
        "units": result.units,
        "fewer": result.fewer,
        "more": result.more,
        "equal": result.equal,
    }


def _with_same_facts(a: Score, b: Score) -> list[Score]:
    """Give both systems' utterances what either knows of speakers and durations."""
    pairs = list(zip(a.alignments, b.alignments, strict=True))
    return [
        replace(a, alignments=[_with_facts(one, other) for one, other in pairs]),
        replace(b, alignments=[_with_facts(one, other) for other, one in pairs]),
    ]


def _with_facts(one: WordAlignment, other: WordAlignment) -> WordAlignment:
    return replace(
        one,
        speaker=other.speaker if one.speaker is None else one.speaker,
        duration=other.duration if one.duration is None else one.duration,
    )


def _groups(scores: Sequence[Score]) -> dict[str, list[dict[str, Any]]]:
    """Return each aspect's groups, with the errors of every system."""
    found = {}
    for aspect in Aspect:
        columns = zip(*(group_by(score, aspect) for score in scores), strict=True)
        rows = [
            {
                "name": groups[0].name,
                "utterances": groups[0].utterances,
                "words": groups[0].words,
                "errors": [group.errors for group in groups],
            }
            for groups in columns
        ]
        if rows:
            found[aspect.value] = rows
    return found


def _frequent(scores: Sequence[Score]) -> dict[str, list[list[Any]]]:
    """Return the most frequent errors of a kind: [reference, hypothesis, counts...]."""
    systems = [word_errors(count_pairs(score.alignments)) for score in scores]
    return {kind: _most(kind, systems) for kind in ("subs", "dels", "ins")}


def _most(kind: str, systems: Sequence[WordErrors]) -> list[list[Any]]:
    counters = [getattr(one, kind) for one in systems]
    # What is most frequent with any of the systems.
    words = {word for one in counters for word, _ in one.most_common(_FREQUENT)}
    sides = {
        "subs": lambda word: word,
        "dels": lambda word: (word, GAP),
        "ins": lambda word: (GAP, word),
    }
    rows = [[*sides[kind](word), *(one[word] for one in counters)] for word in words]
    return sorted(rows, key=lambda row: (-max(row[2:]), row[:2]))


def _speakers(alignments: Sequence[WordAlignment]) -> dict[str, Any] | None:
    """Return the speakers' names and each utterance's place among them, -1 for none."""
    names = sorted({one.speaker for one in alignments if one.speaker is not None})
    if not names:
        return None
    place: dict[str | None, int] = {name: number for number, name in enumerate(names)}
    return {"names": names, "of": [place.get(one.speaker, -1) for one in alignments]}


def _durations(alignments: Sequence[WordAlignment]) -> list[float | None] | None:
    if all(one.duration is None for one in alignments):
        return None
    return [
        None if one.duration is None else round(one.duration, 2) for one in alignments
    ]


def _reference(alignment: WordAlignment) -> str:
    return " ".join(map(_joinable, alignment.ref))


def _edits(alignment: WordAlignment) -> list[int | str]:
    """Return where the hypothesis differs, as places and words by turns.

    At place p >= 0, reference word p became the word that follows or, if that is "",
    was lost. At place -p-1, the word that follows was put before reference word p.
    """
    edits: list[int | str] = []
    place = 0
    for ref, hyp in alignment.pairs:
        if ref == GAP:
            edits += [-place - 1, hyp]
            continue
        if ref != hyp:
            edits += [place, hyp]
        place += 1
    return edits


def _joinable(word: str) -> str:
    """Return a word without spaces: the page splits the reference at them."""
    return word.replace(" ", _NO_BREAK_SPACE)
