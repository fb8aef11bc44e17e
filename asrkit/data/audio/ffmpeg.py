"""Recordings that libsndfile does not know: m4a, webm, aac, amr, video.

ffmpeg decodes them where it is installed. It is called once for each recording, which
becomes a FLAC file of the same rate and channels.
"""

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from asrkit.data.left_out import UnusableError

_KINDS = "m4a, webm, aac, amr and video"


def convert(source: Path, target: Path) -> None:
    """Decode the first audio stream of a file into a FLAC file of 16 bit.

    Raises:
        UnusableError: ffmpeg is not installed, or finds no sound audio in the file.
    """
    program = shutil.which("ffmpeg")
    if program is None:
        raise UnusableError(
            "cannot be decoded: libsndfile does not know its format, and ffmpeg, which "
            f"decodes {_KINDS}, is not installed"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".convert-", dir=target.parent) as folder:
        written = Path(folder) / "audio.flac"
        # "file:" keeps names such as -x or a:b from being options or addresses, and
        # the whitelist keeps playlists from fetching anything.
        command = [program, "-v", "error", "-nostdin", "-xerror"]
        command += ["-protocol_whitelist", "file", "-i", f"file:{source.absolute()}"]
        command += ["-map", "0:a:0", "-c:a", "flac", "-sample_fmt", "s16"]
        command += [f"file:{written}"]
        done = subprocess.run(command, capture_output=True, check=False)
        if done.returncode != 0 or not written.is_file():
            said = _last_line(done).replace(f"file:{source.absolute()}", "file")
            raise UnusableError(f"cannot be decoded: ffmpeg says {said}")
        os.replace(written, target)


def converted_path(source: Path, folder: Path) -> Path:
    """Return where a recording's FLAC file is: it changes with path, size and time."""
    stat = source.stat()
    key = f"{source.resolve()}\t{stat.st_size}\t{stat.st_mtime_ns}"
    digest = hashlib.sha256(key.encode(errors="surrogateescape")).hexdigest()[:12]
    return folder / f"{source.stem}-{digest}.flac"


def _last_line(done: "subprocess.CompletedProcess[bytes]") -> str:
    lines = done.stderr.decode(errors="replace").strip().splitlines()
    return (
        repr(lines[-1].strip()) if lines else f"nothing, with status {done.returncode}"
    )
