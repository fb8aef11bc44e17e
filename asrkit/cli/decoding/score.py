"""Score decoded text that is on disk, ours or another toolkit's."""

import argparse
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

from asrkit.decoding.scoring.error_unit import ErrorUnit
from asrkit.decoding.scoring.hints import hints
from asrkit.decoding.scoring.html_report import Decoded, write_html_report
from asrkit.decoding.scoring.reading.formats import ScoringFormat
from asrkit.decoding.scoring.reading.readers import (
    read_decode,
    with_durations,
    with_speakers,
)
from asrkit.decoding.scoring.sclite.inputs import Rewriting, read_marked
from asrkit.decoding.scoring.sclite.marked import mark_hints, score_marked
from asrkit.decoding.scoring.sclite.subsets import subset_groups
from asrkit.decoding.scoring.sclite.words import Marks
from asrkit.decoding.scoring.score import normalized, score
from asrkit.decoding.scoring.significance import compare, comparison_line
from asrkit.decoding.scoring.tables import detail_lines, group_table, summary_line
from asrkit.decoding.scoring.wer_files import (
    log_line,
    read_results,
    unit_of,
    write_errs,
    write_groups,
)
from asrkit.text.normalize import TextStyle


def main(argv: list[str] | None = None) -> int:
    """Print the error rate of each set and, on request, write what went wrong where."""
    args = _parse(argv)
    logging.basicConfig(format="%(levelname)s: %(message)s")
    sets = [_score_file(path, args) for path in args.files]
    for one in sets:
        _print_score(one, args.out_dir, args)
    for place, path in enumerate(args.compare):
        other = _score_file(path, args)
        # Both systems' sets may be of one name.
        _print_score(other, args.out_dir and args.out_dir / "compared", args)
        sets[place] = _versus(sets[place], other, args.files[place], path)
    if args.html is not None:
        write_html_report(args.html, sets, note=_note(args))
        print(f"wrote {args.html}")
    return 0


def _score_file(path: Path, args: argparse.Namespace) -> Decoded:
    """Read and score one file of hypotheses."""
    set_name = _set_name(path)
    measured = _measured(path)
    format = None if args.format is None else ScoringFormat(args.format)
    if args.sclite:
        decoded = _score_as_sclite(path, format, args)
    else:
        hypotheses = read_decode(
            path, args.ref, format=format, missing_as_empty=args.missing_as_empty
        )
        # decode.py writes these beside recogs, so that the interval is the same again.
        speakers = args.utt2spk or _beside(path, f"{set_name}.utt2spk")
        durations = args.utt2dur or _beside(path, f"{set_name}.utt2dur")
        if speakers is not None:
            hypotheses = with_speakers(hypotheses, speakers)
        if durations is not None:
            hypotheses = with_durations(hypotheses, durations)
        unit = unit_of(measured) if args.unit is None else ErrorUnit(args.unit)
        scored = score(normalized(hypotheses, TextStyle(args.normalize)), unit)
        decoded = Decoded(set_name, _method(path), scored, notes=list(hints(scored)))
    return replace(
        decoded, rtfx=measured.get("rtfx"), memory_mib=measured.get("memory_mib")
    )


def _score_as_sclite(
    path: Path, format: ScoringFormat | None, args: argparse.Namespace
) -> Decoded:
    rewriting = Rewriting(keep_case=args.s, glm=args.glm, split_hyphens=args.dh)
    marked = read_marked(
        path, args.ref, rewriting, format=format, missing_as_empty=args.missing_as_empty
    )
    marks = Marks(args.D, args.F)
    scored = score_marked(marked.utterances, marks)
    return Decoded(
        _set_name(path), _method(path), scored,
        notes=[*marked.notes, *mark_hints(scored, marks), *hints(scored)],
        subsets=list(subset_groups(marked, scored)),
    )  # fmt: skip


def _set_name(path: Path) -> str:
    return path.stem.removeprefix("recogs-").removesuffix(".hyp")


def _method(path: Path) -> str:
    """Return the search, as decode/METHOD/recogs-SET.txt says it."""
    return path.resolve().parent.name


def _beside(path: Path, name: str) -> Path | None:
    found = path.with_name(name)
    return found if found.is_file() else None


def _measured(path: Path) -> dict[str, Any]:
    """Return the entry of results.json that decode.py wrote for the file, if it did."""
    key = (_set_name(path), _method(path))
    for entry in read_results(path.resolve().parent.parent / "results.json"):
        if (entry["set"], entry["method"]) == key:
            return entry
    return {}


def _print_score(one: Decoded, folder: Path | None, args: argparse.Namespace) -> None:
    print(log_line(one.set_name, one.method, one.score, one.rtfx, one.memory_mib))
    print(f"  {summary_line(one.score)}")
    for note in one.notes:
        print(f"  {note}")
    for title, groups in one.subsets:
        print("\n".join(["", *group_table(title, groups, one.score.counted)]))
    if args.details:
        print("\n".join([*detail_lines(one.score), ""]))
    if folder is not None:
        errs = folder / f"errs-{one.set_name}.txt"
        table = folder / f"groups-{one.set_name}.tsv"
        write_errs(errs, one.score)
        write_groups(table, one.score, one.subsets)
        print(f"wrote {errs} and {table}")


def _versus(one: Decoded, other: Decoded, path: Path, other_path: Path) -> Decoded:
    """Compare two systems under names that tell them apart; print the outcome."""
    if one.method == other.method:
        one = replace(one, method=str(path))
        other = replace(other, method=str(other_path))
    result = compare(one.score, other.score)
    print(comparison_line(one.set_name, one.method, other.method, result))
    return replace(one, versus=other)


def _note(args: argparse.Namespace) -> str:
    if args.sclite:
        return "Scored as sclite does."
    style = TextStyle(args.normalize)
    return "" if style is TextStyle.NONE else f"Texts normalized: {style.value}."


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parse = parser()
    args = parse.parse_args(argv)
    if bool(args.files) == bool(args.hyp):
        parse.error("give either files with both sides or --ref and --hyp")
    if bool(args.ref) != bool(args.hyp):
        parse.error("--ref and --hyp go together")
    if args.hyp is not None:
        args.files = [args.hyp]
    belonging = [f"-{name}" for name in ("D", "F", "s", "dh") if getattr(args, name)]
    belonging += [] if args.glm is None else ["--glm"]
    if belonging and not args.sclite:
        parse.error(f"{', '.join(belonging)}: for --sclite only")
    own = args.utt2spk or args.utt2dur or args.unit or args.normalize != "none"
    if args.sclite and own:
        parse.error(
            "--sclite has rules of its own: no --normalize, --utt2spk, --utt2dur, "
            "--unit"
        )
    if args.dh and args.glm is None:
        parse.error("-dh is csrfilt.sh's and goes with --glm")
    if args.compare and len(args.compare) != len(args.files):
        parse.error(
            f"--compare needs a file for each of the {len(args.files)} before it"
        )
    for files in args.files, args.compare:
        names = [_set_name(path) for path in files]
        if args.out_dir is not None and len(set(names)) < len(names):
            parse.error("--out-dir: two files are of one set; score them one by one")
    return args


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        description="Score decoded text: WER, CER, the 95 % confidence interval and, "
        "on request, every error and a comparison of two systems. Lines are named "
        "[SET-FOLDER]. Reads recogs (asrkit, icefall), trn (sclite, ESPnet), "
        "text (Kaldi, ESPnet, WeNet), JSONL (also NeMo's manifests), JSON (Whisper, a "
        "file or a folder of them), stm and ctm (NIST, meeteval), SpeechBrain's "
        "wer.txt and what WeNet's compute-wer.py prints.",
        epilog="examples: score.py exp/demo/decode/greedy/recogs-test.txt; "
        "score.py greedy/recogs-*.txt --compare beam/recogs-*.txt --html report.html; "
        "score.py --ref test.ref.trn --hyp test.hyp.trn --out-dir .; "
        "score.py --sclite -D -F --glm en.glm -dh --ref hub5.stm --hyp hub5.ctm",
    )
    add = parser.add_argument
    add("files", nargs="*", type=Path, help="recogs or JSONL files with ref and hyp")
    add("--ref", type=Path, help="references, in any of the formats")
    add("--hyp", type=Path, help="hypotheses, in any of the formats")
    add(
        "--compare", nargs="+", type=Path, default=[], metavar="FILE",
        help="what a second system made of the same sets, in the same order",
    )  # fmt: skip
    add(
        "--format", choices=[one.value for one in ScoringFormat],
        help="of the hypotheses (default: name and first line tell)",
    )  # fmt: skip
    add(
        "--normalize", choices=[one.value for one in TextStyle],
        default=TextStyle.NONE.value,
        help="normalize both sides before scoring (default: none)",
    )  # fmt: skip
    add(
        "--unit", choices=[one.value for one in ErrorUnit],
        help="what errors are counted in: words (WER), characters without blanks "
        "(CER), or characters of scripts without blanks and words of the others "
        "(MER); default: as in the results.json of the run, else words",
    )  # fmt: skip
    add(
        "--missing-as-empty", action="store_true",
        help="utterances without a hypothesis count as deleted, not as a mistake",
    )  # fmt: skip
    add("--utt2spk", type=Path, help="speakers, as `ID SPEAKER` lines")
    add("--utt2dur", type=Path, help="durations, as `ID SECONDS` lines")
    add("--details", action="store_true", help="print rates by group, frequent errors")
    add("--out-dir", type=Path, help="write errs-SET.txt and groups-SET.tsv here")
    add("--html", type=Path, metavar="FILE", help="write a page of all this here")
    _add_sclite(parser)
    return parser


def _add_sclite(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "as sclite counts",
        "alternatives { a / b }, the null word @, case ignored, sclite's costs; for "
        "trn against trn and ctm against stm",
    )
    add = group.add_argument
    add("--sclite", action="store_true", help="score by sclite's rules")
    add("-D", action="store_true", help="words such as (uh) may lack")
    add("-F", action="store_true", help="fragments such as th- fit words that go on so")
    add("-s", action="store_true", help="case counts")
    add("--glm", type=Path, metavar="FILE", help="rules of spelling, for both sides")
    add("-dh", action="store_true", help="with --glm: split words at hyphens")
