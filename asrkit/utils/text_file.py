"""Text files as numbered lines."""

from pathlib import Path

from asrkit.utils.errors import InputError


def read_text(path: Path) -> str:
    """Return what a file holds.

    Raises:
        InputError: It cannot be read, or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {path}: {error}") from error


def numbered_lines(text: str) -> list[tuple[int, str]]:
    """Return the lines that are not blank, with their numbers from 1."""
    # Not splitlines(): words may hold characters that it takes for line ends.
    lines = enumerate(text.split("\n"), start=1)
    return [(number, line) for number, line in lines if line.strip()]


def read_lines(path: Path) -> list[tuple[int, str]]:
    """Return a file's lines that are not blank, with their numbers from 1.

    Raises:
        InputError: It cannot be read, is not UTF-8, or holds no such line.
    """
    found = numbered_lines(read_text(path))
    if not found:
        raise InputError(f"{path} is empty; check what should have written it")
    return found
