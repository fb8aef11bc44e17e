"""Stages 0 and 1 of run.sh, and what the others ask of the corpus."""

import argparse
import hashlib
import json
import logging
import time
from collections.abc import Sequence
from pathlib import Path

from asrkit.cli.data import make_lexicon
from asrkit.cli.recipe.recipe import Recipe
from asrkit.cli.recipe.settings import choose_settings
from asrkit.data.corpora.librispeech import KINDS, kind_of
from asrkit.data.corpora.manifests import list_parts, manifest_path, write_part
from asrkit.utils.files import atomic_write


def prepare(recipe: Recipe, argv: Sequence[str] | None = None) -> int:
    """Run the stages that are asked for; each says in a line what it has done."""
    args = parser(recipe).parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    work_dir = recipe.work_dir(args.corpus, args.data_dir)
    if args.settings:
        print("\n".join(choose_settings(recipe, args.corpus, work_dir)))
        return 0
    if args.lexicon:
        return _lexicon(recipe, args.corpus, work_dir)
    corpus_dir = recipe.corpus_dir(args.corpus, args.data_dir)
    if args.stage <= 0 <= args.stop_stage:
        _stage_0(recipe, args.corpus, work_dir, args.jobs)
        if recipe.lm_text is not None and args.lm_text:
            print(f"stage 0: text for a language model: {recipe.lm_text(work_dir)}")
    if args.stage <= 1 <= args.stop_stage:
        _stage_1(recipe, corpus_dir, work_dir / "manifests", args.jobs)
    return 0


def _stage_0(recipe: Recipe, name: str, work_dir: Path, jobs: int | None) -> None:
    start = time.monotonic()
    corpus = recipe.corpora.get(name)
    folder = Path(name) if corpus is None else work_dir / "corpus"
    if corpus is None:
        recipe.find_parts(folder)  # says what is wrong with a folder
    else:
        corpus.fetch(folder, jobs)
    print(f"stage 0: recordings in {folder} ({time.monotonic() - start:.1f} s)")


def _stage_1(recipe: Recipe, corpus_dir: Path, folder: Path, jobs: int | None) -> None:
    start = time.monotonic()
    parts = recipe.find_parts(corpus_dir)
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
        prepared = recipe.prepare_part(corpus_dir, part, jobs=jobs)
        print("  " + write_part(part, *prepared, folder, recipe.name))
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


def _lexicon(recipe: Recipe, name: str, work_dir: Path) -> int:
    """Make the lexicon of tokenizer=phone beside the manifests, if there is none."""
    path, manifests = work_dir / "lexicon.txt", work_dir / "manifests"
    if path.exists():
        print(f"lexicon: already done, {path}")
        return 0
    corpus = recipe.corpora.get(name)
    if corpus is None or corpus.lexicon is None:
        origin = ["--espeak"]
    else:
        origin = ["--from", str(corpus.lexicon(work_dir))]
    parts = [part for part in list_parts(manifests) if kind_of(part) == "train"]
    sets = ["--manifests", str(manifests), "--sets", *parts]
    return make_lexicon.main([*sets, *origin, "--out", str(path)])


def parser(recipe: Recipe) -> argparse.ArgumentParser:
    """Describe the command line."""
    names = list(recipe.corpora)
    parse = argparse.ArgumentParser(
        description=f"Stages 0 and 1 of run.sh: get a {recipe.name} corpus, make its "
        "manifests. All goes below DATA_DIR/CORPUS: recordings into corpus/ (unless "
        "they are yours), manifests into manifests/. What is done is not done again."
    )
    add = parse.add_argument
    add(
        "--corpus",
        required=not names,
        default=names[0] if names else None,
        metavar="|".join([*names, "DIR"]),
        help=f"DIR: a folder in {recipe.layout}",
    )
    if recipe.lm_text is not None:
        add("--lm-text", action="store_true", help="also download text for LMs")
    add("--data-dir", type=Path, default=Path("data"), metavar="DIR")
    add("--stage", type=int, default=0, metavar="N")
    add("--stop-stage", "--stop_stage", type=int, default=1, metavar="M")
    add("--jobs", type=int, metavar="N", help="default: one a CPU")
    add("--settings", action="store_true", help="only print what training takes")
    add(
        "--lexicon",
        action="store_true",
        help="only make tokenizer=phone's",
    )
    return parse
