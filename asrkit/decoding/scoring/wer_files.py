"""The files of a decoded set, in the formats of icefall and sclite, and results.json.

Scripts written for icefall's `recogs`, `errs` and `wer-summary` files read these.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from asrkit.decoding.scoring.breakdown import Aspect, Group, group_by
from asrkit.decoding.scoring.error_report import error_report
from asrkit.decoding.scoring.error_unit import ErrorUnit
from asrkit.decoding.scoring.score import Hypothesis, Score
from asrkit.utils.errors import InputError
from asrkit.utils.files import atomic_write


def log_line(
    set_name: str,
    method: str,
    score: Score,
    rtfx: float | None = None,
    memory_mib: float | None = None,
) -> str:
    """Return the one line that sums up a decoded set.

    Args:
        set_name: Test set, such as "test-clean".
        method: Search, such as "greedy".
        score: Its errors.
        rtfx: Seconds of audio decoded in a second; None where nothing was decoded.
        memory_mib: Most memory in use, MiB; None where it is not known.
    """
    line = (
        f"[{set_name}-{method}] %{score.counted.rate} {score.rate:.2f}% "
        f"[{score.errors} / {score.words}, {score.ins} ins, "
        f"{score.dels} del, {score.subs} sub ] "
        f"95% CI [{score.ci95[0]:.2f}, {score.ci95[1]:.2f}]"
    )
    if rtfx is not None:
        line += f" RTFx {rtfx:.0f}" if rtfx >= 10 else f" RTFx {rtfx:.1f}"
    if memory_mib is not None:
        line += f" memory {memory_mib:.0f} MiB"
    return line


def write_decode_files(
    folder: Path,
    set_name: str,
    method: str,
    hypotheses: Sequence[Hypothesis],
    score: Score,
) -> None:
    """Write the files of one set into `folder`.

    These are recogs, errs and wer-summary (cer-summary where characters are counted),
    as icefall's; trn, as sclite's; groups; and, where they are known, speakers and
    durations as Kaldi's utt2spk and utt2dur.
    """
    ordered = sorted(hypotheses, key=lambda utterance: utterance.id)
    write_recogs(folder / f"recogs-{set_name}.txt", ordered)
    write_errs(folder / f"errs-{set_name}.txt", score)
    _write(
        folder / f"{score.counted.scalar}-summary-{set_name}.txt",
        [f"settings\t{score.counted.rate}", f"{method}\t{score.rate:.2f}"],
    )
    write_trn(folder / f"{set_name}.ref.trn", ((one.id, one.ref) for one in ordered))
    write_trn(folder / f"{set_name}.hyp.trn", ((one.id, one.hyp) for one in ordered))
    write_groups(folder / f"groups-{set_name}.tsv", score)
    if all(one.speaker is not None for one in ordered):
        lines = (f"{one.id}\t{one.speaker}" for one in ordered)
        _write(folder / f"{set_name}.utt2spk", lines)
    if all(one.duration is not None for one in ordered):
        lines = (f"{one.id}\t{one.duration:.3f}" for one in ordered)
        _write(folder / f"{set_name}.utt2dur", lines)


def write_groups(
    path: Path, score: Score, subsets: Iterable[tuple[str, list[Group]]] = ()
) -> None:
    """Write the errors by speaker, duration, speaking rate and length as a table.

    Args:
        path: File to write.
        score: The errors.
        subsets: Titles and groups of further aspects.
    """
    counted = score.counted
    lines = [
        f"aspect\tgroup\tutterances\t{counted.plural}\tins\tdel\tsub\t{counted.rate}"
    ]
    names = {aspect: aspect.value for aspect in Aspect}
    names[Aspect.WORDS] = counted.plural
    aspects = [(name, group_by(score, aspect)) for aspect, name in names.items()]
    for title, groups in [*aspects, *subsets]:
        for group in groups:
            numbers = (group.utterances, group.words, group.ins, group.dels, group.subs)
            rate = "" if group.rate is None else f"{group.rate:.2f}"
            lines.append("\t".join([title, group.name, *map(str, numbers), rate]))
    _write(path, lines)


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


def results_entry(
    set_name: str,
    method: str,
    score: Score,
    rtfx: float,
    memory_mib: float | None = None,
) -> dict[str, Any]:
    """Return the entry of one set and method in results.json.

    Rate and count are named by what is counted: wer and words, or cer and characters.
    """
    counted = score.counted
    entry = {
        "set": set_name,
        "method": method,
        counted.scalar: round(score.rate, 4),
        "errors": score.errors,
        counted.plural: score.words,
        "ins": score.ins,
        "del": score.dels,
        "sub": score.subs,
        "ci95": [round(end, 4) for end in score.ci95],
        "ci95_over": score.unit.value,
        **({} if score.cer is None else {"cer": round(score.cer, 4)}),
        "rtfx": round(rtfx, 2),
        "utterances": score.utterances,
        "empty": score.empty,
    }
    if counted is not ErrorUnit.WORD:
        entry["unit"] = counted.value
    if memory_mib is not None:
        entry["memory_mib"] = round(memory_mib, 1)
    return entry


def unit_of(entry: Mapping[str, Any]) -> ErrorUnit:
    """Return what was counted for an entry of results.json."""
    return ErrorUnit(entry.get("unit", ErrorUnit.WORD.value))


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
