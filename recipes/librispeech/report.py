#!/usr/bin/env python3
"""Stage 7 of run.sh: the table of word error rates, and where everything is."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

MEASURES = ("wer", "perplexity")


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--exp-dir", type=Path, required=True)
    exp_dir = parser.parse_args().exp_dir
    path = exp_dir / "decode" / "results.json"
    if not path.is_file():
        sys.stderr.write(f"error: no {path}; run stage 6 first\n")
        return 2
    sys.stdout.write(render(stages(exp_dir)) + "\n\n")
    rows = [("set", "method", "WER %", "95 % interval", "errors / words", "RTFx")]
    for one in json.loads(path.read_text(encoding="utf-8")):
        low, high = one["ci95"]
        rows.append(
            (
                one["set"],
                one["method"],
                f"{one['wer']:.2f}",
                f"{low:.2f} to {high:.2f}",
                f"{one['errors']} / {one['words']}",
                f"{one['rtfx']:.0f}",
            )
        )
    lines = [render(rows)]
    places = {
        "decoded text": exp_dir / "decode" / "<method>" / "recogs-<set>.txt",
        "every error": exp_dir / "decode" / "<method>" / "errs-<set>.txt",
        "in a browser": exp_dir / "decode" / "<method>" / "report.html",
        "data report": exp_dir / "data_report.txt",
        "logs": exp_dir / "log",
        "curves": f"tensorboard --logdir {exp_dir}",
        "try it": f"scripts/transcribe.py FILE --exp-dir {exp_dir}",
    }
    width = max(map(len, places))
    lines += ["", *(f"{name.ljust(width)}  {where}" for name, where in places.items())]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


def stages(exp_dir: Path) -> Sequence[tuple[str, ...]]:
    """Return a table of the finished stages, in the order in which they ended."""
    rows = [("stage", "updates", "minutes", "peak memory", "best on dev")]
    for path in sorted(exp_dir.glob("*/done"), key=lambda path: path.stat().st_mtime):
        facts = json.loads(path.read_text(encoding="utf-8"))
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


if __name__ == "__main__":
    sys.exit(main())
