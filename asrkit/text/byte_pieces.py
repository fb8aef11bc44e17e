"""Pieces that stand for bytes, `<0xE4>`, by which sentencepiece spells the unknown."""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

NUM_BYTES = 256

_PIECE = re.compile(r"<0x([0-9A-F]{2})>")
_LOST = re.compile("[\udc80-\udcff]")
_REPLACEMENT = "\ufffd"


def byte_of(piece: str) -> int | None:
    """Return the byte that a piece stands for; None: it is none of a byte."""
    match = _PIECE.fullmatch(piece)
    return int(match[1], 16) if match else None


def join_pieces(pieces: Iterable[str]) -> str:
    """Put pieces in a row, bytes as the characters that they are in UTF-8.

    As in sentencepiece, U+FFFD stands for each byte that is part of no character.
    """
    parts = []
    for is_byte, run in groupby(pieces, key=lambda piece: byte_of(piece) is not None):
        join = _decode if is_byte else "".join
        parts.append(join(run))
    return "".join(parts)


def begun_by(pieces: Sequence[str]) -> Iterator[str]:
    """Return what begins at each piece: itself, or the character of its bytes.

    It is empty for the second and later bytes of a character.
    """
    place = 0
    while place < len(pieces):
        byte = byte_of(pieces[place])
        if byte is None:
            yield pieces[place]
            place += 1
            continue
        size = _size(byte)
        character = join_pieces(pieces[place : place + size])
        if len(character) > 1 or character == _REPLACEMENT:
            character, size = _REPLACEMENT, 1
        yield character
        yield from [""] * (size - 1)
        place += size


def _size(byte: int) -> int:
    """Return how many bytes a character has that begins with this one."""
    if byte < 0xC0:
        return 1
    return 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4


def _decode(pieces: Iterable[str]) -> str:
    content = bytes(byte for piece in pieces if (byte := byte_of(piece)) is not None)
    return _LOST.sub(_REPLACEMENT, content.decode(errors="surrogateescape"))
