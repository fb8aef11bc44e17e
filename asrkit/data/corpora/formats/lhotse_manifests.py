"""Lhotse's manifests under any name: cut sets, and recordings with supervisions.

What `lhotse prepare` writes are recordings and supervisions; beside
`X_recordings_PART.jsonl.gz` stands `X_supervisions_PART.jsonl.gz`.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from lhotse import SupervisionSegment
from lhotse.cut import Cut
from lhotse.serialization import deserialize_item
from lhotse.utils import fastcopy

from asrkit.data.corpora.cut_sets import prepare_cuts
from asrkit.data.corpora.formats.format import Format, Part, Prepared
from asrkit.data.corpora.formats.rows import first_row, read_json
from asrkit.data.corpora.formats.table import one_line
from asrkit.data.corpora.locate import Locator
from asrkit.data.left_out import LeftOut, UnusableError
from asrkit.utils.errors import InputError

_MALFORMED = (KeyError, TypeError, ValueError, AssertionError)
"""What Lhotse raises for an item that is none."""
_RECORDINGS, _SUPERVISIONS = "recordings", "supervisions"


def manifest_kind(path: Path) -> str | None:
    """Tell what a manifest holds: cuts, recordings, supervisions; None for neither."""
    row = first_row(path) if path.is_file() else None
    if row is None:
        return None
    if str(row.get("type")).endswith("Cut"):
        return "cuts"
    if {"sources", "sampling_rate"} <= row.keys():
        return _RECORDINGS
    return _SUPERVISIONS if {"recording_id", "start"} <= row.keys() else None


def beside(path: Path, other: str) -> Path:
    """Return where the other manifest of a pair is.

    Raises:
        InputError: It is not there.
    """
    here = _RECORDINGS if other == _SUPERVISIONS else _SUPERVISIONS
    found = path.with_name(path.name.replace(here, other))
    if here not in path.name or not found.is_file():
        wanted = found.name if here in path.name else f"a name with {here} in it"
        raise InputError(
            f"{path} holds {here}; {other} are needed beside it, looked for {wanted}"
        )
    return found


def _recognizes(path: Path) -> bool:
    return manifest_kind(path) is not None


def _prepare(part: Part) -> Prepared:
    bad: list[LeftOut] = []
    kind, locate = manifest_kind(part.path), Locator(part.path.parent)
    if kind == "cuts":
        cuts: Iterable[Cut] = _items(part.path, bad)
    else:
        other = _RECORDINGS if kind == _SUPERVISIONS else _SUPERVISIONS
        pair = {kind: part.path, other: beside(part.path, other)}
        cuts = _join(pair[_RECORDINGS], pair[_SUPERVISIONS], bad)
    found = (_with_path(cut, locate) for cut in cuts)
    prepared, left_out = prepare_cuts(
        found,
        name=part.name,
        jobs=part.jobs,
        converted=part.store.folder,
        run_commands=part.store.run_commands,
    )
    return prepared, sorted(bad + left_out, key=lambda row: (row.id, row.path))


def _items(path: Path, bad: list[LeftOut]) -> Iterator[Any]:
    """Read the items of a manifest; those that are none are noted."""
    for line, row in read_json(path):
        try:
            if isinstance(row, UnusableError):
                raise row
            _join_lines(row)
            yield deserialize_item(row)
        except (UnusableError, *_MALFORMED) as error:
            id = f"{path.name.split('.')[0]}-{line}"
            reason = f"no item of a Lhotse manifest: {error!r}"
            bad.append(LeftOut(id, f"{path}:{line}", reason))


def _join_lines(row: dict[str, Any]) -> None:
    """Take line breaks out of the transcripts of a cut or a supervision."""
    for one in (row, *(row.get("supervisions") or ())):
        if isinstance(one.get("text"), str):
            one["text"] = one_line(one["text"])
    for track in row.get("tracks") or ():
        _join_lines(track["cut"])


def _join(recordings: Path, supervisions: Path, bad: list[LeftOut]) -> Iterator[Cut]:
    """Make a cut of each recording, with its supervisions.

    Not CutSet.from_manifests: it says nothing of supervisions without a recording.
    """
    said: dict[str, list[SupervisionSegment]] = {}
    for supervision in _items(supervisions, bad):
        said.setdefault(supervision.recording_id, []).append(supervision)
    for recording in _items(recordings, bad):
        its = said.pop(recording.id, [])
        cut = fastcopy(recording.to_cut(), supervisions=its)
        # Where a recording is one utterance, that has the supervision's id as well.
        yield cut.with_id(its[0].id) if len(its) == 1 else cut
    for recording_id, rest in said.items():
        reason = f"no recording {recording_id} in {recordings.name}"
        bad.extend(LeftOut(one.id, str(supervisions), reason) for one in rest)


def _with_path(cut: Cut, locate: Locator) -> Cut:
    """Say where the recordings are, if the manifest says it from some folder."""
    tracks = getattr(cut, "tracks", None)
    for one in [track.cut for track in tracks] if tracks else [cut]:
        recording = getattr(one, "recording", None)
        for source in recording.sources if recording is not None else ():
            if source.type == "file" and not source.source.startswith("/"):
                found = locate(source.source)
                base = str(found).removesuffix(source.source)
                return cut.with_recording_path_prefix(base)
    return cut


def _elsewhere(path: Path) -> list[Path]:
    return [beside(path, "supervisions")] if manifest_kind(path) == "recordings" else []


LHOTSE = Format(
    name="lhotse",
    what="Lhotse manifests (cuts, or recordings and supervisions)",
    recognizes=_recognizes,
    prepare=_prepare,
    elsewhere=_elsewhere,
)
