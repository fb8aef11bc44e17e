"""Stage 7 of run.sh: the table of error rates, and where everything is."""

import argparse
import json
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from asrkit.cli.recipe.stm import score_by_stm
from asrkit.decoding.scoring.error_unit import ERROR_RATES
from asrkit.decoding.scoring.wer_files import read_results, unit_of
from asrkit.utils.errors import InputError
from asrkit.utils.programs import find_program

MEASURES = (*ERROR_RATES, "perplexity")


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parse = argparse.ArgumentParser(
        description="Shows the stages and the error rates of a run, and where "
        "everything is."
    )
    parse.add_argument("--exp-dir", type=Path, required=True, help="folder of the run")
    parse.add_argument(
        "--called-from",
        type=Path,
        default=Path(),
        metavar="DIR",
        help="print paths for a shell that is there (default: here)",
    )
    parse.add_argument(
        "--manifests",
        type=Path,
        metavar="DIR",
        help="score by the ref.stm in this folder, too, where there is one",
    )
    return parse


def main(argv: list[str] | None = None) -> int:
    """Print the tables.

    Raises:
        InputError: Nothing has been decoded.
    """
    args = parser().parse_args(argv)
    path = args.exp_dir / "decode" / "results.json"
    if not path.is_file():
        raise InputError(f"no {path}; run stage 6 first (scripts/decode.py)")
    # Relative paths are short, and right where the shell is in this folder.
    here = Path() if args.called_from.resolve() == Path.cwd() else Path.cwd()
    exp_dir = here / args.exp_dir
    sys.stdout.write(render(stages(args.exp_dir)) + "\n\n")
    sys.stdout.write("\n".join(rate_tables(read_results(path))) + "\n")
    if args.manifests is not None:
        score_by_stm(args.exp_dir, args.manifests)
    places = {
        "decoded text": exp_dir / "decode" / "<method>" / "recogs-<set>.txt",
        "every error": exp_dir / "decode" / "<method>" / "errs-<set>.txt",
        "in a browser": exp_dir / "decode" / "<method>" / "report.html",
        "data report": exp_dir / "data_report.txt",
        "logs": exp_dir / "log",
        "curves": command(tensorboard(here), "--logdir", exp_dir),
        "try it": command(here / "scripts/transcribe.py", "FILE", "--exp-dir", exp_dir),
    }
    width = max(map(len, places))
    lines = [f"{name.ljust(width)}  {where}\n" for name, where in places.items()]
    sys.stdout.write("\n" + "".join(lines))
    return 0


def rate_tables(results: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Write the error rates of all sets, a table for each unit they are counted in."""
    for unit in dict.fromkeys(map(unit_of, results)):
        counts = f"errors / {unit.plural}"
        rows = [("set", "method", f"{unit.rate} %", "95 % interval", counts, "RTFx")]
        for one in results:
            if unit_of(one) is not unit:
                continue
            low, high = one["ci95"]
            rows.append(
                (
                    one["set"],
                    one["method"],
                    f"{one[unit.scalar]:.2f}",
                    f"{low:.2f} to {high:.2f}",
                    f"{one['errors']} / {one[unit.plural]}",
                    f"{one['rtfx']:.0f}",
                )
            )
        yield render(rows)


def command(*words: str | Path) -> str:
    """Write a command as a shell reads it."""
    return shlex.join(map(str, words))


def tensorboard(here: Path) -> str:
    """Return what starts TensorBoard in the user's shell."""
    program = find_program("tensorboard")
    if here == Path() and program.is_relative_to(Path.cwd()):
        program = program.relative_to(Path.cwd())
    return str(program)


def stages(exp_dir: Path) -> Sequence[tuple[str, ...]]:
    """Return a table of the finished stages, in the order in which they ended."""
    rows = [("stage", "updates", "minutes", "peak memory", "best on dev")]
    for path in sorted(exp_dir.glob("*/done"), key=lambda path: path.stat().st_mtime):
        facts = json.loads(path.read_text(encoding="utf-8"))
        if "left_out" in facts:
            rows.append((path.parent.name, "", "", "", "left out"))
            continue
        best = next((f"{n} {facts[n]:.2f}" for n in MEASURES if n in facts), "")
        rows.append(
            (
                path.parent.name,
                str(facts.get("updates", "")),
                f"{facts['seconds'] / 60:.1f}",
                f"{facts['peak_memory_gb']:.2f} GB",
                best,
            )
        )
    return rows


def render(rows: Sequence[tuple[str, ...]]) -> str:
    """Write a table with its columns below one another."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    rows = [rows[0], tuple("-" * width for width in widths), *rows[1:]]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    )
