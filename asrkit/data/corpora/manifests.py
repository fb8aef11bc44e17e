"""Manifests: the cuts of a corpus on disk, and beside them what was left out."""

import gzip
import io
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import shorten

from lhotse import CutSet

from asrkit.data.corpora.supervised import Utterances
from asrkit.data.left_out import LeftOut, write_left_out
from asrkit.utils.errors import InputError
from asrkit.utils.files import atomic_write

STM, GLM = "ref.stm", "ref.glm"
"""Beside the manifests of a corpus that is scored by segments and rules of spelling."""
_INFIX, _SUFFIX = "_cuts_", ".jsonl.gz"
_DEFAULT = "librispeech"
_SHOWN = 3
"""Reasons of what was left out that are said; the list has all."""
_LONGEST = 80
"""Characters of a reason that are said."""


def manifest_path(folder: Path, part: str, corpus: str | None = None) -> Path:
    """Return where the cuts of a part are: <corpus>_cuts_<part>.jsonl.gz.

    Args:
        folder: Of manifests.
        part: What is looked for; its manifest may have any corpus's name.
        corpus: Begins the name of a manifest that is not there yet; None for what the
            other parts' begin with.

    Raises:
        InputError: The part has two manifests.
    """
    found = [path for path in _manifests(folder) if _part(path) == part]
    if len(found) > 1:
        raise InputError(
            f"{folder}: {' and '.join(path.name for path in found)} are both of part "
            f"{part}; delete one of them, or move it into another folder"
        )
    corpus = corpus or corpus_name(folder) or _DEFAULT
    return found[0] if found else folder / f"{corpus}{_INFIX}{part}{_SUFFIX}"


def corpus_name(folder: Path) -> str | None:
    """Return what the names of manifests begin with; None where there are none."""
    first = next(iter(_manifests(folder)), None)
    return None if first is None else first.name.partition(_INFIX)[0]


def _manifests(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"?*{_INFIX}?*{_SUFFIX}"))


def _part(path: Path) -> str:
    return path.name.partition(_INFIX)[2].removesuffix(_SUFFIX)


def left_out_path(folder: Path, part: str) -> Path:
    """Return where the utterances left out of a part are listed, if any were."""
    return folder / f"left_out_{part}.tsv"


def list_parts(folder: Path) -> list[str]:
    """List the parts that have a manifest."""
    return sorted({_part(path) for path in _manifests(folder)})


def write_manifests(
    cuts_by_part: Mapping[str, CutSet],
    left_out: Mapping[str, Sequence[LeftOut]],
    folder: Path,
    corpus: str | None = None,
) -> None:
    """Write each part's cuts, by id, and the list of what was left out of it.

    The same cuts give the same bytes. A list of an earlier run is removed when
    nothing is left out any more.
    """
    for part, cuts in cuts_by_part.items():
        _write_cuts(cuts, manifest_path(folder, part, corpus))
        write_left_out(left_out_path(folder, part), left_out.get(part, ()))


def write_part(
    part: str,
    cuts: CutSet,
    left_out: Sequence[LeftOut],
    folder: Path,
    corpus: str | None = None,
) -> str:
    """Write the manifest of one part and say in a line what is in it.

    Args:
        part: Its name.
        cuts: Its utterances.
        left_out: Those that are not among them.
        folder: Of the manifests.
        corpus: Begins the name of the manifest, unless the part has one.

    Raises:
        InputError: There is no cut.
    """
    write_manifests({part: cuts}, {part: left_out}, folder, corpus)
    where = f"{len(left_out)} left out"
    if left_out:
        where += f" ({_reasons(left_out)}), listed in {left_out_path(folder, part)}"
    if not cuts:
        raise InputError(f"{part}: no utterance can be used; {where}{_first(left_out)}")
    hours = sum(cut.duration for cut in cuts) / 3600
    written = manifest_path(folder, part)
    return f"{part}: {len(cuts)} utterances, {hours:.2f} h; {where}; wrote {written}"


def _reasons(left_out: Sequence[LeftOut]) -> str:
    """Say how many were left out for each of the most frequent reasons."""
    examples: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for row in left_out:
        # Numbers, names and what a message quotes differ from one row to the next.
        kind = re.sub(r"'[^']*'|\S*[\d/._]\S*", "", row.reason.partition(": ")[0])
        counts[kind] += 1
        examples.setdefault(kind, row.reason)
    shown = counts.most_common(_SHOWN)
    lines = [f"{count}: {shorten(examples[kind], _LONGEST)}" for kind, count in shown]
    rest = counts.total() - sum(count for _, count in shown)
    return "; ".join(lines + ([f"{rest}: other reasons"] if rest else []))


def _first(left_out: Sequence[LeftOut]) -> str:
    for row in left_out[:1]:
        return f"; the first, {row.id} ({row.path}): {row.reason}"
    return ""


def load_cuts(folder: Path, part: str) -> CutSet:
    """Open the utterances of a part; they are read from disk as one goes over them.

    Cuts with several supervisions are one utterance for each, and those without any are
    left out; the log says so.

    Raises:
        InputError: The part has no manifest.
    """
    return CutSet(Utterances(open_manifest(folder, part), part))


def open_manifest(folder: Path, part: str) -> CutSet:
    """Open the cuts of a part as they are, whatever their supervisions.

    Raises:
        InputError: The part has no manifest.
    """
    path = manifest_path(folder, part)
    if not path.is_file():
        parts = ", ".join(list_parts(folder)) or "none"
        raise InputError(
            f"no manifest {path} (parts there: {parts}); "
            "a recipe's prepare.py or scripts/prepare.py makes it"
        )
    return CutSet.from_jsonl_lazy(path)


def _write_cuts(cuts: CutSet, path: Path) -> None:
    # Not CutSet.to_file: it puts the file's name and the time into the gzip header.
    with (
        atomic_write(path) as file,
        gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packed,
        io.TextIOWrapper(packed, encoding="utf-8") as lines,
    ):
        for cut in sorted(cuts, key=lambda cut: cut.id):
            lines.write(json.dumps(cut.to_dict(), ensure_ascii=False) + "\n")
