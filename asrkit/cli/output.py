"""Where transcripts go: standard output, a file, or a folder of files."""

import argparse
import os
import sys
from pathlib import Path

from asrkit.decoding.transcripts.formats import FORMATS
from asrkit.decoding.transcripts.transcript import Transcript
from asrkit.utils.errors import InputError
from asrkit.utils.files import atomic_write


class Output:
    """Takes transcripts one by one; `close` writes what had to wait for the last.

    Args:
        name: Key of `FORMATS`.
        out: A file, or a folder for formats of one file a recording; None for
            standard output.
        several: Whether there may be more than one recording.

    Raises:
        InputError: The format cannot be written there.
    """

    def __init__(self, name: str, out: Path | None, *, several: bool) -> None:
        self.format = FORMATS[name]
        self.out = out
        self.streams = name == "text" and out is None
        self.waiting: list[Transcript] = []
        suffix = self.format.suffix
        self.to_folder = (
            self.format.one_each and out is not None and out.suffix != suffix
        )
        if self.format.one_each and several and not self.to_folder:
            raise InputError(
                f"--format {name} writes a file for each recording; give --out FOLDER"
            )
        if out is not None and self.to_folder and out.is_file():
            raise InputError(f"--out {out} is a file; --format {name} needs a folder")
        if out is not None and not self.to_folder and out.is_dir():
            raise InputError(f"--out {out} is a folder; give a file such as x{suffix}")

    def add(self, transcript: Transcript) -> None:
        """Write a transcript, or keep it for `close`."""
        if self.streams:
            self._write(self.out, [transcript])
        elif self.out is not None and self.to_folder:
            # The id of an utterance may look like a path.
            file = transcript.id.replace(os.sep, "_") + self.format.suffix
            self._write(self.out / file, [transcript])
        else:
            self.waiting.append(transcript)

    def close(self) -> None:
        """Write what waits."""
        if self.streams or self.to_folder:
            return
        if self.waiting or not self.format.one_each:
            self._write(self.out, self.waiting)

    def _write(self, path: Path | None, transcripts: list[Transcript]) -> None:
        text = self.format.write(transcripts)
        if path is None:
            sys.stdout.write(text)
            sys.stdout.flush()
            return
        with atomic_write(path, "w") as file:
            file.write(text)


def add_options(parse: argparse.ArgumentParser, default: str) -> None:
    """Add --format and --out to a command line."""
    parse.add_argument(
        "--format",
        choices=list(FORMATS),
        default=default,
        help=f"of the output (default: {default})",
    )
    parse.add_argument(
        "--out",
        type=Path,
        metavar="PATH",
        help="file to write; a folder for srt and textgrid, which hold one recording "
        "a file (default: standard output)",
    )
