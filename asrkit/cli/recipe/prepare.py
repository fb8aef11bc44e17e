"""Stages 0 and 1 of run.sh, and what the others ask of the corpus."""

import argparse
import hashlib
import json
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from asrkit.cli.data import make_lexicon
from asrkit.cli.data.prepare import AUDIO, add_reading
from asrkit.cli.recipe.recipe import Recipe
from asrkit.cli.recipe.settings import choose_settings
from asrkit.data.corpora.folder import Reading
from asrkit.data.corpora.formats.format import Prepared
from asrkit.data.corpora.manifests import (
    left_out_path,
    list_parts,
    manifest_path,
    write_part,
)
from asrkit.data.corpora.parts import KINDS, kind_of
from asrkit.data.left_out import read_left_out
from asrkit.utils.files import atomic_write


@dataclass(frozen=True)
class _Part:
    """A part of a corpus that can be read."""

    files: list[Path]
    """When one of them changes, the part is read again."""
    origin: str
    """What is read, for the user."""
    prepare: Callable[[], Prepared]


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
    reading = Reading(
        audio_dir=work_dir / "manifests" / AUDIO,
        run_commands=args.run_commands,
        columns=args.columns,
        jobs=args.jobs,
    )
    if args.stage <= 0 <= args.stop_stage:
        _stage_0(recipe, args.corpus, work_dir, reading)
        if recipe.lm_text is not None and args.lm_text:
            print(f"stage 0: text for a language model: {recipe.lm_text(work_dir)}")
    if args.stage <= 1 <= args.stop_stage:
        _stage_1(recipe, corpus_dir, work_dir / "manifests", reading)
    return 0


def _stage_0(recipe: Recipe, name: str, work_dir: Path, reading: Reading) -> None:
    start = time.monotonic()
    corpus = recipe.corpora.get(name)
    folder = Path(name) if corpus is None else work_dir / "corpus"
    if corpus is None:
        _find_parts(recipe, folder, reading)  # says what is wrong with a folder
    else:
        corpus.fetch(folder, reading.jobs)
    print(f"stage 0: recordings in {folder} ({time.monotonic() - start:.1f} s)")


def _find_parts(recipe: Recipe, folder: Path, reading: Reading) -> dict[str, _Part]:
    if recipe.find_parts is None or recipe.prepare_part is None:
        return {
            name: _Part(
                source.files(), str(source), partial(reading.prepare, source, name)
            )
            for name, source in recipe.find_sources(folder).items()
        }
    return {
        name: _Part(
            [path for path in (folder / name).rglob("*") if path.is_file()],
            str(folder / name),
            partial(recipe.prepare_part, folder, name, jobs=reading.jobs),
        )
        for name in recipe.find_parts(folder)
    }


def _stage_1(recipe: Recipe, corpus_dir: Path, folder: Path, reading: Reading) -> None:
    start = time.monotonic()
    parts = _find_parts(recipe, corpus_dir, reading)
    marker = folder / ".done.json"
    inputs = {name: _fingerprint(part.files) for name, part in parts.items()}
    inputs["corpus_dir"] = str(corpus_dir.resolve())
    inputs["reading"] = f"{reading.columns} {reading.run_commands}"
    _note_missing_kinds(list(parts), corpus_dir)
    unusable = _fingerprint_left_out(folder, parts)
    if _read(marker) == inputs | unusable and set(list_parts(folder)) == set(parts):
        passed = time.monotonic() - start
        print(f"stage 1: already done, manifests in {folder} ({passed:.1f} s)")
        return
    marker.unlink(missing_ok=True)
    for name, part in parts.items():
        print(f"  {name}: reading {part.origin}", flush=True)
        print("  " + write_part(name, *part.prepare(), folder, recipe.name))
    if recipe.beside is not None:
        for said in recipe.beside(corpus_dir, folder):
            print(f"  {said}")
    for gone in set(list_parts(folder)) - set(parts):
        manifest_path(folder, gone).unlink()
    with atomic_write(marker, "w") as file:
        json.dump(inputs | _fingerprint_left_out(folder, parts), file)
    print(f"stage 1: manifests in {folder} ({time.monotonic() - start:.1f} s)")


def _note_missing_kinds(parts: list[str], corpus_dir: Path) -> None:
    """Say in one line what the parts do not allow."""
    kinds = {kind_of(part) for part in parts}
    needed_for = {
        "train": "train on",
        "dev": "choose checkpoints by",
        "test": "report on",
    }
    if missing := [kind for kind in KINDS if kind not in kinds]:
        lacks = ", none to ".join(f"{needed_for[kind]} ({kind})" for kind in missing)
        print(
            f"  note: {corpus_dir} has no part to {lacks}; there are {', '.join(parts)}"
        )


def _fingerprint(files: Iterable[Path]) -> str:
    """Summarize which files are there, their sizes and times."""
    digest = hashlib.sha256()
    for path in sorted(set(files)):
        line = f"{path.absolute()} -"
        if path.exists():
            stat = path.stat()
            line = f"{path.absolute()} {stat.st_size} {stat.st_mtime_ns}"
        digest.update(f"{line}\n".encode())
    return digest.hexdigest()


def _fingerprint_left_out(folder: Path, parts: Iterable[str]) -> dict[str, str]:
    """Summarize the files that an earlier run left out: mended, they are read again."""
    lists = {name: left_out_path(folder, name) for name in parts}
    return {
        f"left out of {name}": _fingerprint(Path(r.path) for r in read_left_out(path))
        for name, path in lists.items()
        if path.is_file()
    }


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
    add_reading(parse)
    add("--settings", action="store_true", help="only print what training takes")
    add(
        "--lexicon",
        action="store_true",
        help="only make tokenizer=phone's",
    )
    return parse
