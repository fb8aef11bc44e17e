"""Audio without a file of its own gets one: from commands, Kaldi archives, tars."""

import hashlib
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import BinaryIO

from asrkit.data.left_out import UnusableError
from asrkit.utils.errors import InputError
from asrkit.utils.files import atomic_write

RUN_COMMANDS = "--run-commands"
_LONGEST = 100
"""Characters of an id that a file's name keeps."""
_PLAIN = re.compile(r"\w[\w.+-]{,150}")
_WAVE_HEADER = 8  # RIFF and the size of what follows


class AudioStore:
    """A folder of audio files, each made once; what is there is not made again.

    Args:
        folder: Is made when the first file is.
        run_commands: Whether commands in lists may be run; those who wrote the lists
            can make them do anything.
    """

    def __init__(self, folder: Path, *, run_commands: bool = False) -> None:
        self.folder = folder.absolute()
        self.run_commands = run_commands

    def from_command(self, id: str, command: str) -> Path:
        """Run a command that writes a WAV file to its standard output.

        Args:
            id: Of the recording.
            command: For the shell, run from where the user stands.

        Raises:
            UnusableError: It fails, or writes nothing.
        """
        path = self._path(id, command, ".wav")
        if path.is_file():
            return path
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent) as output:
            done = subprocess.run(
                command,
                shell=True,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.PIPE,
                check=False,
            )
            size = os.fstat(output.fileno()).st_size
            if done.returncode != 0 or size == 0:
                said = done.stderr.decode(errors="replace").strip().splitlines()
                raise UnusableError(
                    f"the command ended with status {done.returncode} and {size} "
                    f"bytes: {command}{': ' if said else ''}{' '.join(said[-1:])}"
                )
            output.seek(0)
            with atomic_write(path) as file:
                shutil.copyfileobj(output, file)
        return path

    def from_archive(self, id: str, archive: Path, offset: int) -> Path:
        """Copy a recording out of a Kaldi archive.

        Args:
            id: Of the recording.
            archive: Its name ends with .ark.
            offset: Of the recording's first byte.

        Raises:
            UnusableError: There is no audio file at that place.
        """
        path = self._path(id, f"{_state(archive)}:{offset}", ".audio")
        if not path.is_file():
            with archive.open("rb") as file:
                file.seek(offset)
                audio = _embedded(file)
            with atomic_write(path) as file:
                file.write(audio)
        return path

    def unpack(self, tar: Path) -> dict[str, Path]:
        """Unpack the files of a tar file.

        Returns:
            The files by their names in the tar file.

        Raises:
            UnusableError: It cannot be read.
        """
        folder = self.folder / f"{tar.stem}-{_digest(_state(tar))}"
        temporary = folder.with_name(f".{folder.name}")
        files = {}
        try:
            with tarfile.open(tar) as packed:
                for member in packed:
                    if member.isfile():
                        # One level: a name cannot lead out of the folder.
                        name = member.name
                        if not _PLAIN.fullmatch(name):
                            name = _safe(name, name)
                        files[member.name] = folder / name
                        if not folder.is_dir():
                            temporary.mkdir(parents=True, exist_ok=True)
                            with (temporary / name).open("wb") as file:
                                shutil.copyfileobj(packed.extractfile(member), file)  # type: ignore[arg-type]
        except (tarfile.TarError, EOFError, OSError) as error:
            raise UnusableError(f"{tar} cannot be unpacked: {error}") from error
        if files and not folder.is_dir():
            temporary.rename(folder)
        return files

    def _path(self, id: str, origin: str, suffix: str) -> Path:
        return self.folder / (_safe(id, origin) + suffix)


def _safe(name: str, origin: str) -> str:
    """Make a file's name of an id; another origin gives another name."""
    stem, dot, suffix = name.rpartition(".")
    stem, suffix = (stem, dot + suffix) if stem and len(suffix) <= 5 else (name, "")
    plain = re.sub(r"[^\w.+-]+", "_", stem).lstrip(".")[-_LONGEST:]
    return f"{plain}-{_digest(origin)}{suffix}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _state(path: Path) -> str:
    """Name a file as it is now."""
    try:
        stat = path.stat()
    except OSError as error:
        raise UnusableError(f"no such file: {path}") from error
    return f"{path.absolute()} {stat.st_size} {stat.st_mtime_ns}"


def _embedded(file: BinaryIO) -> bytes:
    """Read the audio file that begins at a place of an archive.

    Kaldi's wav-copy puts WAV files there as they are; kaldiio, which ESPnet writes
    with, puts AUDIO before any other format, and how many bytes follow.
    """
    head = file.read(5)
    if head[:4] == b"RIFF":
        head += file.read(_WAVE_HEADER - len(head))
        return head + file.read(int.from_bytes(head[4:], "little"))
    if head == b"AUDIO":
        digits = int.from_bytes(file.read(1), "little")
        return file.read(int.from_bytes(file.read(digits), "little"))
    raise UnusableError(
        f"holds neither WAV nor AUDIO at byte {file.tell() - len(head)}"
    )


def refuse_command(where: str, command: str) -> InputError:
    """Say that a list holds a command, and what to do."""
    shown = command if len(command) <= _LONGEST else command[:_LONGEST] + "..."
    return InputError(
        f"{where} is a command, and whoever wrote the list can make it do anything; "
        f"look the commands over and add {RUN_COMMANDS} to run them: {shown}"
    )
