"""WeNet's data.list: JSON lines with key, wav and txt; or names of tar files.

The tar files (WeNet's shards) hold KEY.txt and KEY.wav (or another suffix).
"""

from collections.abc import Iterator
from pathlib import Path

from asrkit.data.corpora.formats.format import Format, Part, Row, scanning
from asrkit.data.corpora.formats.rows import first_row, open_text
from asrkit.data.corpora.formats.table import one_line, read_table
from asrkit.data.corpora.locate import Locator
from asrkit.data.corpora.scan import Utterance
from asrkit.data.left_out import LeftOut, UnusableError

_KEYS = {"key", "wav", "txt"}


def _recognizes(path: Path) -> bool:
    if not path.is_file():
        return False
    return set(first_row(path) or ()) >= _KEYS or _lists_tars(path)


def _lists_tars(path: Path) -> bool:
    if path.suffix != ".list":
        return False
    with open_text(path) as file:
        return file.readline().strip().endswith((".tar", ".tar.gz", ".tgz"))


def _read(part: Part) -> Iterator[Row]:
    if not _lists_tars(part.path):
        yield from read_table(part)
        return
    locate = Locator(part.path.parent)
    with open_text(part.path) as file:
        for name in filter(None, map(str.strip, file)):
            try:
                files = part.store.unpack(locate(name))
            except UnusableError as error:
                yield LeftOut(Path(name).stem, name, str(error))
            else:
                yield from _pairs(name, files)


def _pairs(tar: str, files: dict[str, Path]) -> Iterator[Row]:
    """Pair the audio and the texts of a tar file."""
    texts = {Path(n).stem: path for n, path in files.items() if n.endswith(".txt")}
    for name, path in files.items():
        key = Path(name).stem
        if name.endswith(".txt"):
            continue
        if key not in texts:
            yield LeftOut(key, tar, f"no {key}.txt beside {name}")
            continue
        try:
            text = one_line(texts.pop(key).read_text(encoding="utf-8"))
        except UnicodeDecodeError as error:
            yield LeftOut(key, tar, f"{key}.txt is not UTF-8: {error.reason}")
        else:
            yield Utterance(id=key, path=path, text=text)
    for key in texts:
        yield LeftOut(key, tar, f"no recording beside {key}.txt")


WENET = Format(
    name="wenet",
    what="a WeNet list (key, wav, txt; or tar files)",
    recognizes=_recognizes,
    prepare=scanning(_read),
)
