"""Reading files, and parts of them, from a disk or behind any URL that fsspec knows."""

import os
import time
from collections.abc import Callable
from functools import cache

import urllib3

from asrkit.utils.errors import InputError

_WAITS = (1.0, 4.0, 16.0)
"""Seconds to wait before reading from a URL again."""
_TIMEOUT = 60.0
"""Seconds that a web server may take to connect, and to go on sending."""


def is_url(address: str) -> bool:
    """Say whether an address is a URL, not a path."""
    return "://" in address


def join(folder: str, name: str) -> str:
    """Return the address of a file in a folder."""
    return f"{folder.rstrip('/')}/{name}"


def read_file(address: str) -> bytes:
    """Read a whole file.

    Raises:
        OSError: It cannot be read.
        InputError: Nothing is installed that opens such a URL.
    """
    if is_url(address):
        return _fetch(address, None, None)
    with open(address, "rb") as file:
        return file.read()


def read_range(address: str, start: int, size: int) -> bytes:
    """Read `size` bytes of a file from the byte `start` on, and no others.

    Raises:
        OSError: They cannot be read, or the file ends before.
        InputError: Nothing is installed that opens such a URL.
    """
    if is_url(address):
        data = _fetch(address, start, start + size)
    else:
        with open(address, "rb", buffering=0) as file:
            file.seek(start)
            data = file.read(size)
    if len(data) == size:
        return data
    if len(data) > size:
        raise OSError(f"{address}: the server does not answer requests for a range")
    raise OSError(f"{address} ends {size - len(data)} bytes before it should")


def _fetch(address: str, start: int | None, end: int | None) -> bytes:
    """Read from a URL; a network that fails is asked again."""
    if address.startswith(("http://", "https://")):
        return _patiently(lambda: _get(address, start, end), address)
    from fsspec.core import url_to_fs

    try:
        files, path = url_to_fs(address)
    except (ImportError, ValueError) as error:
        raise InputError(
            f"{address} cannot be opened: {error}; install what fsspec needs for such "
            "URLs, e.g. s3fs for s3:// or gcsfs for gs://"
        ) from error
    return _patiently(lambda: files.cat_file(path, start, end), address)


def _get(address: str, start: int | None, end: int | None) -> bytes:
    """Read from a web server, over a connection that stays open."""
    headers = {} if end is None else {"Range": f"bytes={start}-{end - 1}"}
    answer = _pool(os.getpid()).request("GET", address, headers=headers, retries=False)
    if answer.status == 404:
        raise FileNotFoundError(address)
    if answer.status not in (200, 206):
        raise OSError(f"status {answer.status}")
    return answer.data


@cache
def _pool(pid: int) -> urllib3.PoolManager:
    """Return this process's connections; a forked one must not share them."""
    return urllib3.PoolManager(timeout=_TIMEOUT)


def _patiently(read: Callable[[], bytes], address: str) -> bytes:
    for wait in (*_WAITS, None):
        try:
            return read()
        except FileNotFoundError as error:
            raise OSError(f"no file {address}") from error
        except Exception as error:  # each kind of URL has errors of its own
            if wait is None:
                reason = str(error) or type(error).__name__
                raise OSError(f"{address} cannot be read: {reason}") from error
            time.sleep(wait)
    raise AssertionError("the last try returns or raises")
