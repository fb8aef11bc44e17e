"""Score decoded text that is on disk."""

import argparse
from pathlib import Path

from asrkit.decoding.scoring import Hypothesis, score
from asrkit.decoding.wer_files import (
    log_line,
    read_recogs,
    read_trn_pair,
    write_errs,
)


def main(argv: list[str] | None = None) -> int:
    """Print the WER of each set and, on request, write what went wrong where."""
    parser = _parser()
    args = parser.parse_args(argv)
    if bool(args.recogs) == bool(args.ref or args.hyp):
        parser.error("give either recogs files or --ref and --hyp")
    if bool(args.ref) != bool(args.hyp):
        parser.error("--ref and --hyp go together")
    if args.recogs:
        for path in args.recogs:
            name = path.stem.removeprefix("recogs-")
            _score_one(name, path, read_recogs(path), args.out_dir)
    else:
        name = args.hyp.name.removesuffix(".trn").removesuffix(".hyp")
        hypotheses = read_trn_pair(args.ref, args.hyp)
        _score_one(name, args.hyp, hypotheses, args.out_dir)
    return 0


def _score_one(
    name: str, path: Path, hypotheses: list[Hypothesis], out_dir: Path | None
) -> None:
    result = score(hypotheses)
    # decode/<method>/recogs-<set>.txt: the folder says which search it was.
    print(log_line(name, path.resolve().parent.name, result))
    if out_dir is not None:
        errs = out_dir / f"errs-{name}.txt"
        write_errs(errs, result)
        print(f"wrote {errs}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="score.py",
        description="Score decoded text: WER, its 95 % confidence interval, and "
        "(with --out-dir) every error. Lines are named [SET-FOLDER].",
        epilog="examples: score.py exp/demo/decode/greedy/recogs-test.txt; "
        "score.py --ref test.ref.trn --hyp test.hyp.trn --out-dir .",
    )
    parser.add_argument(
        "recogs", nargs="*", type=Path, help="recogs-SET.txt files, ours or icefall's"
    )
    parser.add_argument("--ref", type=Path, help="reference in sclite's trn format")
    parser.add_argument("--hyp", type=Path, help="hypothesis in sclite's trn format")
    parser.add_argument("--out-dir", type=Path, help="write errs-SET.txt here")
    return parser
