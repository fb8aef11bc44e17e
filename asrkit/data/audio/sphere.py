"""NIST's SPHERE files (.sph): their header, and audio that shorten has packed.

libsndfile reads those of PCM, mu-law and A-law. What shorten has packed is unpacked by
the LDC's sph2pipe (sox 14.4.2 refuses it), and becomes a FLAC file, once.
"""

import shutil
import subprocess
import tempfile
from pathlib import Path

import soundfile

from asrkit.data.left_out import UnusableError
from asrkit.utils.files import atomic_write

_MAGIC = b"NIST_1A\n"
_SIZE_LINE = 16
"""Bytes of the first two lines; the second one says how long the header is."""
PROGRAM = "sph2pipe"
PACKED = (
    f"shorten has packed it, which libsndfile and sox do not read: put {PROGRAM}, the "
    "LDC's program for such files, on PATH and run the same command again"
)
_BLOCK = 1 << 20


def read_header(path: str | Path) -> dict[str, str]:
    """Return the fields of a SPHERE file's header; none where it is no such file.

    The lines are `NAME -TYPE VALUE`, up to `end_head` (NIST, SPHERE 2.6a, sp_intro).
    """
    with open(path, "rb") as file:
        start = file.read(_SIZE_LINE)
        size = start[len(_MAGIC) :].strip()
        if not start.startswith(_MAGIC) or not size.isdigit():
            return {}
        lines = file.read(int(size) - _SIZE_LINE).decode("latin-1").split("\n")
    fields = {}
    for line in lines:
        if line == "end_head":
            break
        name, _, value = line.partition(" ")
        fields[name] = value.partition(" ")[2].strip()
    return fields


def is_packed(path: str | Path) -> bool:
    """Say whether a file is SPHERE that shorten has packed."""
    return "shorten" in read_header(path).get("sample_coding", "")


def unpack(source: Path, target: Path) -> None:
    """Make a FLAC file of 16 bit of a packed SPHERE file, with all its channels.

    Raises:
        UnusableError: sph2pipe is not installed, or finds no audio in the file.
    """
    program = shutil.which(PROGRAM)
    if program is None:
        raise UnusableError(f"cannot be decoded: {PACKED}")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".unpack-", dir=target.parent) as folder:
        wave = Path(folder) / "audio.wav"
        command = [program, "-p", "-f", "wav", str(source.absolute()), str(wave)]
        done = subprocess.run(command, capture_output=True, check=False)
        if done.returncode != 0 or not wave.is_file():
            said = done.stderr.decode(errors="replace").strip().splitlines()
            reason = said[-1] if said else f"nothing, with status {done.returncode}"
            raise UnusableError(f"cannot be decoded: {PROGRAM} says {reason}")
        _write_flac(wave, target)


def _write_flac(source: Path, target: Path) -> None:
    with (
        soundfile.SoundFile(source) as wave,
        atomic_write(target) as file,
        soundfile.SoundFile(
            file, "w", wave.samplerate, wave.channels, "PCM_16", format="FLAC"
        ) as packed,
    ):
        for block in wave.blocks(_BLOCK, dtype="int16"):
            packed.write(block)
