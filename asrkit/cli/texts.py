"""Texts that a command line names: files, or transcripts of sets."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from asrkit.data.corpora.manifests import load_cuts
from asrkit.utils.errors import InputError


def read_texts(
    files: Sequence[Path] | None, manifests: Path, sets: Sequence[str] | None
) -> Iterator[str]:
    """Yield the lines of files, or the transcripts of sets.

    Raises:
        InputError: A file or a set cannot be read.
    """
    for path in files or []:
        yield from read_lines(path)
    for part in sets or []:
        for cut in load_cuts(manifests, part):
            yield from (supervision.text or "" for supervision in cut.supervisions)


def read_lines(path: Path) -> Iterator[str]:
    """Yield the lines of a file.

    Raises:
        InputError: It cannot be read or is no UTF-8 text.
    """
    try:
        # Editors of some systems put a byte order mark before the first line.
        with path.open(encoding="utf-8-sig") as file:
            yield from file
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path} is not UTF-8 text ({error.reason} at byte {error.start}); "
            "unpack or convert it"
        ) from error
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
