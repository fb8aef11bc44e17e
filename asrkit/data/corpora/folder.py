"""Folders that hold the parts of a corpus, each part in any format that is known.

A part is a folder (LibriSpeech layout, a Kaldi data directory), a list (NeMo, WeNet,
Common Voice, a table, Lhotse's manifests), or a folder that holds one list.
"""

import logging
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from asrkit.data.corpora.audio_store import AudioStore
from asrkit.data.corpora.formats.format import Format, Part, Prepared
from asrkit.data.corpora.formats.lhotse_manifests import manifest_kind
from asrkit.data.corpora.formats.registry import FORMATS, recognize
from asrkit.data.corpora.parts import kind_of, part_name, part_order
from asrkit.utils.errors import InputError

logger = logging.getLogger(__name__)

_LISTS = (".csv", ".tsv", ".json", ".jsonl", ".list", ".gz")
"""Ends of names of lists; in a folder no other files are opened: these are audio."""
_COPIES = ("_sp", "_hires", "_sp_hires", "_vp")
"""Ends of names under which Kaldi's recipes keep copies of a part, changed in speed or
with other features."""


@dataclass(frozen=True)
class Source:
    """What a part is read from."""

    format: Format
    path: Path

    def files(self) -> list[Path]:
        """List the files that say what the part holds."""
        elsewhere = self.format.elsewhere(self.path)
        if self.path.is_dir():
            return files_below(self.path) + elsewhere
        return [self.path, *elsewhere]

    def __str__(self) -> str:
        return f"{self.path}, {self.format.what}"


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How parts are read.

    Args:
        audio_dir: Where audio goes that has no file of its own, a folder a part.
        run_commands: Whether commands that stand in lists are run.
        columns: What tables call their columns, by what they are called here.
        jobs: Threads that read recordings; None for one a CPU.
    """

    audio_dir: Path
    run_commands: bool = False
    columns: Mapping[str, str] = field(default_factory=dict)
    jobs: int | None = None

    def prepare(self, source: Source, name: str) -> Prepared:
        """Make the cuts of a part, and list what is left out of it.

        Raises:
            InputError: Nothing of it can be read.
        """
        store = AudioStore(self.audio_dir / name, run_commands=self.run_commands)
        part = Part(
            path=source.path,
            name=name,
            store=store,
            columns=self.columns,
            jobs=self.jobs,
        )
        return source.format.prepare(part)


def files_below(folder: Path) -> list[Path]:
    """List the files below a folder, through links, too.

    Raises:
        InputError: There is no such folder.
    """
    _check_folder(folder)
    walk = os.walk(folder, followlinks=True)
    return sorted(Path(where, name) for where, _, names in walk for name in names)


def find_source(path: Path) -> Source | None:
    """Tell what a file or folder holds; None where it is no single part."""
    if format := recognize(path):
        return Source(format, path)
    if not path.is_dir():
        return None
    lists = list(_sources_in(path))
    if len(lists) != 1:
        return None
    # A folder that holds nothing but train.csv is a corpus; train/train.csv is a part.
    alone = kind_of(part_name(lists[0].path)) is None or kind_of(part_name(path))
    return lists[0] if alone else None


def find_sources(folder: Path) -> dict[str, Source]:
    """Find the parts of a corpus: those for training first, those for testing last.

    Raises:
        InputError: There is no such folder, it holds no part, or two of one name.
    """
    _check_folder(folder)
    entries = sorted(path for path in folder.iterdir() if path.name[0] != ".")
    possible = [path for path in entries if path.is_dir() or path.suffix in _LISTS]
    parts: dict[str, Source] = {}
    others = []
    for path in possible:
        if kind_of(part_name(path)) is None:
            if recognize(path):
                others.append(path.name)
        elif source := find_source(path):
            _add(parts, source, part_name(path))
    for copy in [name for name in parts if _is_copy(name, parts)]:
        others.append(parts.pop(copy).path.name)
    if not parts:
        raise InputError(_nothing(folder, entries))
    if others:
        logger.warning(
            "%s: left aside, as their names tell of none of train, dev and test, or of "
            "a copy: %s",
            folder,
            ", ".join(others),
        )
    return {name: parts[name] for name in sorted(parts, key=part_order)}


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise InputError(
            f"{folder}: no such folder; give the folder that holds a corpus"
        )


def _sources_in(folder: Path) -> Iterator[Source]:
    for path in sorted(path for path in folder.iterdir() if path.suffix in _LISTS):
        format = recognize(path) if path.is_file() else None
        if format is not None and manifest_kind(path) != "supervisions":
            yield Source(format, path)


def _add(parts: dict[str, Source], source: Source, name: str) -> None:
    kind = manifest_kind(source.path)
    if kind == "supervisions":
        return  # the recordings beside them stand for both
    other = parts.get(name)
    if other is not None:
        kinds = [manifest_kind(one.path) for one in (other, source)]
        if sorted(map(str, kinds)) != ["cuts", "recordings"]:
            raise InputError(
                f"{source.path.parent}: {other.path.name} and {source.path.name} are "
                f"both of part {name}; move one of them into another folder"
            )
        if kind == "recordings":
            return  # the cuts hold them
    parts[name] = source


def _is_copy(name: str, parts: dict[str, Source]) -> bool:
    return any(name == other + end for other in parts for end in _COPIES)


def _nothing(folder: Path, entries: list[Path]) -> str:
    if format := recognize(folder):
        return f"{folder} is one part ({format.what}); give the folder that it is in"
    within = [
        path.name
        for path in entries
        if path.is_dir() and any(kind_of(one.name) for one in path.iterdir())
    ]
    hint = f" Is {folder / within[0]} meant?" if within else ""
    known = "; ".join(one.what for one in FORMATS.values())
    return (
        f"{folder} holds no corpus: looked for files or folders whose names tell of "
        f"train, dev or test, each {known}; there are: "
        f"{', '.join(path.name for path in entries) or 'none'}.{hint}"
    )
