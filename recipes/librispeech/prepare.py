#!/usr/bin/env python3
"""Stages 0 and 1 of run.sh: get a corpus, make its manifests.

Everything goes below DATA_DIR/CORPUS: recordings into corpus/ (unless they are yours),
manifests into manifests/. A stage that is done is not done again.
"""

import argparse
import hashlib
import json
import logging
import time
from pathlib import Path

from asrkit.cli.main import run
from asrkit.data.corpora.download import CORPORA, download_corpus, download_lm_text
from asrkit.data.corpora.librispeech import KINDS, find_parts, kind_of, prepare_part
from asrkit.data.corpora.manifests import list_parts, manifest_path, write_part
from asrkit.data.synthesis.corpus import synthesize
from asrkit.utils.files import atomic_write

NAMES = ["demo", *CORPORA]


def main(argv: list[str] | None = None) -> int:
    """Run the stages that are asked for; each says in a line what it has done."""
    args = _parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    # A folder of that name is meant only when it is written as a path: ./demo
    is_folder = args.corpus not in NAMES
    work_dir = args.data_dir / (
        Path(args.corpus).resolve().name if is_folder else args.corpus
    )
    corpus_dir = Path(args.corpus) if is_folder else work_dir / "corpus"
    if args.stage <= 0 <= args.stop_stage:
        _stage_0(args.corpus, corpus_dir, args.jobs)
        if args.lm_text:
            print(f"stage 0: text for a language model: {download_lm_text(work_dir)}")
    if args.stage <= 1 <= args.stop_stage:
        if args.corpus in CORPORA:
            corpus_dir /= "LibriSpeech"
        _stage_1(corpus_dir, work_dir / "manifests", args.jobs)
    return 0


def _stage_0(corpus: str, corpus_dir: Path, jobs: int | None) -> None:
    start = time.monotonic()
    if corpus == "demo":
        synthesize(corpus_dir, jobs=jobs)
    elif corpus in CORPORA:
        download_corpus(corpus, corpus_dir)
    else:
        find_parts(corpus_dir)
    print(f"stage 0: recordings in {corpus_dir} ({time.monotonic() - start:.1f} s)")


def _stage_1(corpus_dir: Path, folder: Path, jobs: int | None) -> None:
    start = time.monotonic()
    parts = find_parts(corpus_dir)
    marker = folder / ".done.json"
    inputs = {part: _fingerprint(corpus_dir / part) for part in parts}
    inputs["corpus_dir"] = str(corpus_dir.resolve())
    _note_missing_kinds(parts, corpus_dir)
    if _read(marker) == inputs and set(list_parts(folder)) == set(parts):
        passed = time.monotonic() - start
        print(f"stage 1: already done, manifests in {folder} ({passed:.1f} s)")
        return
    marker.unlink(missing_ok=True)
    for part in parts:
        prepared = prepare_part(corpus_dir, part, jobs=jobs)
        print("  " + write_part(part, *prepared, folder))
    for gone in set(list_parts(folder)) - set(parts):
        manifest_path(folder, gone).unlink()
    with atomic_write(marker, "w") as file:
        json.dump(inputs, file)
    print(f"stage 1: manifests in {folder} ({time.monotonic() - start:.1f} s)")


def _note_missing_kinds(parts: list[str], corpus_dir: Path) -> None:
    """Say what the parts do not allow."""
    kinds = {kind_of(part) for part in parts}
    needed_for = {
        "train": "train on",
        "dev": "choose checkpoints by",
        "test": "report on",
    }
    for kind in KINDS:
        if kind not in kinds:
            print(
                f"  note: {corpus_dir} has no part to {needed_for[kind]} ({kind}*); "
                f"there are {', '.join(parts)}"
            )


def _fingerprint(folder: Path) -> str:
    """Summarize which files are below a folder, their sizes and times."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        stat = path.stat()
        if not path.is_dir():
            line = f"{path.relative_to(folder)} {stat.st_size} {stat.st_mtime_ns}\n"
            digest.update(line.encode())
    return digest.hexdigest()


def _read(marker: Path) -> dict[str, str] | None:
    try:
        return json.loads(marker.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--corpus",
        default="demo",
        metavar="|".join([*NAMES, "DIR"]),
        help="demo: spoken by espeak-ng; mini, 100, 960: (Mini) LibriSpeech, to be "
        "downloaded; DIR: a folder in LibriSpeech layout",
    )
    parser.add_argument(
        "--lm-text",
        action="store_true",
        help="also download LibriSpeech's text for language models (1.5 GB)",
    )
    parser.add_argument("--data-dir", type=Path, default=Path("data"), metavar="DIR")
    parser.add_argument("--stage", type=int, default=0, metavar="N")
    parser.add_argument(
        "--stop-stage", "--stop_stage", type=int, default=1, metavar="M"
    )
    parser.add_argument("--jobs", type=int, metavar="N", help="default: one a CPU")
    return parser


if __name__ == "__main__":
    run(main)
