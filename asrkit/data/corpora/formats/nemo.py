"""NeMo manifests: JSON lines with audio_filepath, text, and often offset and duration.

Of a tarred dataset the rows have a shard_id, too: their audio is in
audio_<shard_id>.tar beside the manifest, or above the folder of a manifest that was
split.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from asrkit.data.corpora.formats.format import Format, Part, Row, scanning
from asrkit.data.corpora.formats.rows import first_row
from asrkit.data.corpora.formats.table import Values, read_table
from asrkit.data.left_out import UnusableError

_TAR = re.compile(r"audio[^/]*_(\d+)[^/]*\.tar")
"""As NeMo's own reader tells the id of a shard."""
_AGAIN = re.compile(r"-sub\d+(?=\.\w+$)")
"""What NeMo adds to the name of a recording that comes again in a shard."""


def _recognizes(path: Path) -> bool:
    return path.is_file() and "audio_filepath" in (first_row(path) or ())


def _read(part: Part) -> Iterator[Row]:
    tarred = "shard_id" in (first_row(part.path) or ())
    return read_table(part, _Tars(part) if tarred else None)


class _Tars:
    """Finds the recordings of a tarred dataset, and unpacks each tar once."""

    def __init__(self, part: Part) -> None:
        self._store = part.store
        folder = part.path.resolve().parent
        self._tars = {
            match[1]: path
            for place in (folder.parent, folder)
            for path in sorted(place.glob("*.tar"))
            if (match := _TAR.fullmatch(path.name))
        }
        self._files: dict[str, dict[str, Path]] = {}

    def __call__(self, row: Values) -> Path:
        """Return the file of a row's recording.

        Raises:
            UnusableError: There is none.
        """
        shard, name = str(row.get("shard")), row["audio"]
        if shard not in self._files:
            self._files[shard] = self._unpack(shard)
        files, original = self._files[shard], _AGAIN.sub("", name)
        # Where NeMo encoded the audio anew, the tar has another suffix.
        for known in (name, original, Path(name).stem, Path(original).stem):
            if known in files:
                return files[known]
        raise UnusableError(f"{self._tars[shard]} holds no {name}")

    def _unpack(self, shard: str) -> dict[str, Path]:
        if shard not in self._tars:
            raise UnusableError(f"no audio_{shard}.tar beside the manifest or above it")
        files = self._store.unpack(self._tars[shard])
        return {Path(name).stem: path for name, path in files.items()} | files


NEMO = Format(
    name="nemo",
    what="a NeMo manifest (JSON lines with audio_filepath)",
    recognizes=_recognizes,
    prepare=scanning(_read),
)
