"""What all formats of corpora share: how one is told, and how it is read."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lhotse import CutSet

from asrkit.data.corpora.audio_store import AudioStore
from asrkit.data.corpora.scan import Utterance, scan
from asrkit.data.left_out import LeftOut

Row = Utterance | LeftOut
"""What a list says of an utterance, or why it says nothing that can be used."""
Prepared = tuple[CutSet, list[LeftOut]]
"""The cuts of a part, and what was left out of it."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of a corpus that is to be read."""

    path: Path
    """The list of its utterances, or the folder that holds the lists."""
    name: str
    store: AudioStore
    """Where audio goes that has no file of its own."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """What a table calls its columns, by what they are called here."""
    jobs: int | None = None
    """Threads that read recordings; None for one a CPU."""


@dataclass(frozen=True, kw_only=True)
class Format:
    """A way to lay out a part of a corpus."""

    name: str
    """As --format has it."""
    what: str
    """What it is, for messages."""
    recognizes: Callable[[Path], bool]
    """Tells whether a file or folder is in this format."""
    prepare: Callable[[Part], Prepared]
    """Makes the cuts; raises InputError where nothing can be read."""
    elsewhere: Callable[[Path], list[Path]] = lambda _: []
    """Lists files beside or above a part that say something of it, too."""


def scanning(read: Callable[[Part], Iterator[Row]]) -> Callable[[Part], Prepared]:
    """Make the `prepare` of a format that lists utterances.

    Args:
        read: Yields what the lists say, without reading audio.
    """

    def prepare(part: Part) -> Prepared:
        return _scan(read(part), part)

    return prepare


def _scan(rows: Iterator[Row], part: Part) -> Prepared:
    """Read the audio of what was listed; what the lists left out comes along."""
    left_out: list[LeftOut] = []

    def listed() -> Iterator[Utterance]:
        for row in rows:
            if isinstance(row, LeftOut):
                left_out.append(row)
            else:
                yield row

    cuts, refused = scan(
        listed(), name=part.name, jobs=part.jobs, converted=part.store.folder
    )
    return cuts, sorted(left_out + refused, key=lambda row: (row.id, row.path))
