"""Downloads that go on where they stopped, and archives unpacked once."""

import hashlib
import logging
import tarfile
import time
import urllib.error
import urllib.request
import zlib
from http.client import HTTPException, HTTPResponse
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from asrkit.data.progress import track
from asrkit.utils.errors import InputError

logger = logging.getLogger(__name__)

_RETRIES = 3
_PAUSE = 2.0
"""Seconds before the first retry; more before later ones."""
_TIMEOUT = 60.0
"""Seconds without a byte after which a connection counts as broken."""
_CHUNK = 1 << 20


def download_archive(url: str, folder: Path, *, md5: str | None) -> None:
    """Download a tar archive and unpack it; what is there already is not fetched again.

    Args:
        url: Where from.
        folder: Where to put the archive, and what is in it.
        md5: Checksum to expect, in hexadecimal; None: not checked.

    Raises:
        InputError: See `download` and `extract`.
    """
    archive = folder / PurePosixPath(url).name
    # An unpacked archive may be deleted to save space.
    if not is_extracted(archive, folder):
        download(url, archive, md5=md5)
        extract(archive, folder)


def download(url: str, target: Path, *, md5: str | None) -> None:
    """Download a file, unless it is there.

    What has arrived is kept in TARGET.part, where the next attempt goes on.

    Args:
        url: Where from.
        target: Where to.
        md5: Checksum to expect, in hexadecimal; None: not checked.

    Raises:
        InputError: The server does not answer, has no such file, or sent other bytes.
    """
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    _fetch_with_retries(url, part)
    _verify(part, url, md5)
    part.rename(target)


def extract(archive: Path, folder: Path) -> None:
    """Unpack a tar archive, unless that is done.

    Raises:
        InputError: The archive is damaged, or holds a member that could land outside
            `folder`: nothing is written there.
    """
    if is_extracted(archive, folder):
        return
    logger.info("unpacking %s", archive)
    try:
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter=check_member)
    except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
        raise InputError(
            f"cannot unpack {archive}: {error}; when it is damaged, delete it "
            "and run the command again"
        ) from error
    _marker(archive, folder).touch()


def check_member(member: tarfile.TarInfo, folder: str) -> tarfile.TarInfo | None:
    """Return a member of an archive if it is one that may be unpacked.

    Corpora hold files and folders; whatever else could lead out of the folder.

    Args:
        member: Of the archive.
        folder: Where it goes.

    Raises:
        InputError: It is something else.
    """
    path, fault = PurePosixPath(member.name), None
    if member.issym() or member.islnk():
        fault = f"is a link to {member.linkname!r}"
    elif not (member.isfile() or member.isdir()):
        fault = "is neither a file nor a folder"
    elif path.is_absolute() or ".." in path.parts:
        fault = "lies outside the folder to unpack to"
    if fault is not None:
        raise InputError(
            f"the archive's member {member.name!r} {fault} and is not unpacked; this "
            "is not the archive that was published: delete it and download it again"
        )
    return tarfile.data_filter(member, folder)


def is_extracted(archive: Path, folder: Path) -> bool:
    """Tell whether `extract` has finished with this archive."""
    return _marker(archive, folder).exists()


def _marker(archive: Path, folder: Path) -> Path:
    return folder / f".{archive.name}.extracted"


def _fetch_with_retries(url: str, part: Path) -> None:
    retries = 0
    while True:
        before = _size(part)
        try:
            return _fetch(url, part)
        except (HTTPException, OSError) as error:
            if isinstance(error, urllib.error.HTTPError) and error.code < 500:
                raise InputError(f"cannot download {url}: {error}") from error
            if _size(part) > before:  # It breaks off, but gets on.
                retries = 0
            if retries == _RETRIES:
                raise InputError(
                    f"cannot download {url}: {error}; when the connection is back, "
                    f"the same command goes on where this one stopped ({part})"
                ) from error
            retries += 1
            logger.warning("%s: %s; trying again", url, error)
            time.sleep(_PAUSE * retries)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _fetch(url: str, part: Path) -> None:
    """Append to `part` what it lacks; raises when the connection ends too early."""
    have = _size(part)
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"})
    try:
        response = urllib.request.urlopen(request, timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        # 416: nothing is left to send. The checksum tells whether that is right.
        if error.code == 416 and have:
            return
        raise
    with response:
        if response.status != 206:  # The server sends everything from the beginning.
            have = 0
        total = _total(response, have)
        with (
            part.open("ab" if have else "wb") as file,
            track(
                part.name.removesuffix(".part"), total, done=have, in_bytes=True
            ) as add,
        ):
            while chunk := response.read(_CHUNK):
                _write(file, chunk)
                have += len(chunk)
                add(len(chunk))
    if total is not None and have < total:
        raise ConnectionError(f"the connection ended at {have} of {total} bytes")


def _write(file: BinaryIO, chunk: bytes) -> None:
    try:
        file.write(chunk)
        file.flush()
    except OSError as error:  # Not to be taken for a broken connection.
        raise InputError(
            f"cannot write {file.name}: {error.strerror}; free some disk space and run "
            "the command again: it goes on where this one stopped"
        ) from error


def _total(response: HTTPResponse, have: int) -> int | None:
    length = response.headers.get("Content-Length")
    return None if length is None else have + int(length)


def _verify(part: Path, url: str, md5: str | None) -> None:
    if md5 is None:
        return
    digest = hashlib.md5(usedforsecurity=False)
    with part.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    if digest.hexdigest() != md5:
        part.unlink()
        raise InputError(
            f"{url}: what arrived is not the expected file (MD5 {digest.hexdigest()}, "
            f"expected {md5}) and was deleted; run the command again"
        )
