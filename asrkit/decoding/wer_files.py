"""The files of a decoded set, in the formats of icefall and sclite, and results.json.

Scripts written for icefall's `recogs`, `errs` and `wer-summary` files read these.
"""

import ast
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from asrkit.decoding.error_report import error_report
from asrkit.decoding.scoring import Hypothesis, Score
from asrkit.utils.errors import InputError
from asrkit.utils.files import atomic_write

_RECOGS_LINE = re.compile(r"(?P<id>.+):\t(?P<side>ref|hyp)=(?P<words>\[.*\])")
_TRN_LINE = re.compile(r"(?P<words>.*)\((?P<id>[^()]+)\)\s*")
_LISTED = 5


def log_line(
    set_name: str, method: str, score: Score, rtfx: float | None = None
) -> str:
    """Return the one line that sums up a decoded set.

    Args:
        set_name: Test set, such as "test-clean".
        method: Search, such as "greedy".
        score: Its errors.
        rtfx: Seconds of audio decoded in a second; None where nothing was decoded.
    """
    line = (
        f"[{set_name}-{method}] %WER {score.wer:.2f}% "
        f"[{score.errors} / {score.words}, {score.ins} ins, "
        f"{score.dels} del, {score.subs} sub ] "
        f"95% CI [{score.ci95[0]:.2f}, {score.ci95[1]:.2f}]"
    )
    if rtfx is None:
        return line
    return f"{line} RTFx {rtfx:.0f}" if rtfx >= 10 else f"{line} RTFx {rtfx:.1f}"


def write_decode_files(
    folder: Path,
    set_name: str,
    method: str,
    hypotheses: Sequence[Hypothesis],
    score: Score,
) -> None:
    """Write the recogs, errs, wer-summary and trn files of one set into `folder`."""
    ordered = sorted(hypotheses, key=lambda utterance: utterance.id)
    write_recogs(folder / f"recogs-{set_name}.txt", ordered)
    write_errs(folder / f"errs-{set_name}.txt", score)
    _write(
        folder / f"wer-summary-{set_name}.txt",
        ["settings\tWER", f"{method}\t{score.wer:.2f}"],
    )
    write_trn(folder / f"{set_name}.ref.trn", ((one.id, one.ref) for one in ordered))
    write_trn(folder / f"{set_name}.hyp.trn", ((one.id, one.hyp) for one in ordered))


def write_recogs(path: Path, hypotheses: Iterable[Hypothesis]) -> None:
    """Write each utterance's reference and hypothesis as lists of words."""
    lines = []
    for one in hypotheses:
        lines += [f"{one.id}:\tref={one.ref}", f"{one.id}:\thyp={one.hyp}"]
    _write(path, lines)


def write_errs(path: Path, score: Score) -> None:
    """Write the counts, each utterance's alignment, and the errors word by word."""
    _write(path, error_report(score))


def write_trn(path: Path, utterances: Iterable[tuple[str, list[str]]]) -> None:
    """Write (id, words) as sclite's `WORD WORD (id)` lines."""
    _write(path, (" ".join([*words, f"({id_})"]) for id_, words in utterances))


def read_recogs(path: Path) -> list[Hypothesis]:
    """Read a recogs file, ours or icefall's.

    Raises:
        InputError: The file is missing, a line is no recogs line, an utterance has one
            of its two lines only or one of them twice.
    """
    sides: dict[str, dict[str, list[str]]] = {"ref": {}, "hyp": {}}
    for number, line in _lines(path):
        match = _RECOGS_LINE.fullmatch(line)
        if match is None:
            raise InputError(
                f"{path}:{number}: expected `ID:<tab>ref=['A', 'B']` "
                f"or `ID:<tab>hyp=[...]`, found {line[:60]!r}"
            )
        words = _word_list(match["words"], path, number)
        _add(sides[match["side"]], match["id"], words, path, number)
    return _pair(sides["ref"], sides["hyp"], f"{path} (ref)", f"{path} (hyp)")


def read_trn_pair(ref_path: Path, hyp_path: Path) -> list[Hypothesis]:
    """Read a reference and a hypothesis file in sclite's trn format.

    Raises:
        InputError: A file is missing, a line has no `(id)` at its end, or an id is in
            one file only or twice in one.
    """
    return _pair(_read_trn(ref_path), _read_trn(hyp_path), str(ref_path), str(hyp_path))


def results_entry(
    set_name: str, method: str, score: Score, rtfx: float
) -> dict[str, Any]:
    """Return the entry of one set and method in results.json."""
    return {
        "set": set_name,
        "method": method,
        "wer": round(score.wer, 4),
        "errors": score.errors,
        "words": score.words,
        "ins": score.ins,
        "del": score.dels,
        "sub": score.subs,
        "ci95": [round(end, 4) for end in score.ci95],
        "rtfx": round(rtfx, 2),
        "utterances": score.utterances,
        "empty": score.empty,
    }


def read_results(path: Path) -> list[dict[str, Any]]:
    """Read results.json; no file is no results yet.

    Raises:
        InputError: The file is not such a list.
    """
    if not path.exists():
        return []
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        [(entry["set"], entry["method"]) for entry in entries]
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(
            f"{path} is not a list of results ({error}); "
            "delete it and decode again to write it anew"
        ) from error
    return list(entries)


def update_results(path: Path, entry: dict[str, Any]) -> None:
    """Put `entry` in the place of the one with its set and method, or at the end."""
    key = (entry["set"], entry["method"])
    entries = read_results(path)
    keys = [(other["set"], other["method"]) for other in entries]
    if key in keys:
        entries[keys.index(key)] = entry
    else:
        entries.append(entry)
    _write(path, [json.dumps(entries, indent=2)])


def _write(path: Path, lines: Iterable[str]) -> None:
    with atomic_write(path, "w") as file:
        file.writelines(f"{line}\n" for line in lines)


def _lines(path: Path) -> Iterable[tuple[int, str]]:
    """Return the lines that are not blank, with their numbers from 1."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {path}: {error}") from error
    # Not splitlines(): words may hold characters that it takes for line ends.
    lines = enumerate(text.split("\n"), start=1)
    return ((number, line) for number, line in lines if line.strip())


def _word_list(literal: str, path: Path, number: int) -> list[str]:
    """Parse a list of strings as Python prints it; empty words are dropped.

    Scripts that split a transcript at every single space write empty words.
    """
    try:
        words = ast.literal_eval(literal)
    except (ValueError, SyntaxError) as error:
        raise InputError(
            f"{path}:{number}: {literal[:60]!r} is not a list of words"
        ) from error
    return [str(word) for word in words if word != ""]


def _read_trn(path: Path) -> dict[str, list[str]]:
    utterances: dict[str, list[str]] = {}
    for number, line in _lines(path):
        if line.startswith(";;"):  # sclite's comments
            continue
        match = _TRN_LINE.fullmatch(line)
        if match is None:
            raise InputError(
                f"{path}:{number}: expected `WORD WORD (id)`, found {line[:60]!r}"
            )
        _add(utterances, match["id"], match["words"].split(), path, number)
    return utterances


def _add(
    utterances: dict[str, list[str]],
    id_: str,
    words: list[str],
    path: Path,
    number: int,
) -> None:
    if id_ in utterances:
        raise InputError(
            f"{path}:{number}: utterance {id_} is there twice; remove one of the lines"
        )
    utterances[id_] = words


def _pair(
    refs: dict[str, list[str]], hyps: dict[str, list[str]], ref: str, hyp: str
) -> list[Hypothesis]:
    """Join both sides by id; `ref` and `hyp` say where each came from."""
    for have, lack, where in (refs, hyps, hyp), (hyps, refs, ref):
        missing = [id_ for id_ in have if id_ not in lack]
        if missing:
            listed = ", ".join(missing[:_LISTED])
            more = " and others" if len(missing) > _LISTED else ""
            raise InputError(
                f"{where} lacks {len(missing)} of {len(have)} utterances: "
                f"{listed}{more}; an empty result needs a line too"
            )
    return [Hypothesis(id_, words, hyps[id_]) for id_, words in refs.items()]
