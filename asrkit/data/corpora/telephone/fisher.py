"""Fisher's transcripts (LDC2004T19, LDC2005T19), as text for language models.

`fe_03_00001.txt` holds lines `0.00 1.90 A: text`, and comments behind #.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from asrkit.data.corpora.telephone.text import CONVERSATION, normalize
from asrkit.data.left_out import LeftOut, UnusableError
from asrkit.utils.errors import InputError
from asrkit.utils.text_file import read_text

NAME = re.compile(r"fe_03_\d{5}\.txt")
_LINE = re.compile(r"[\d.]+ [\d.]+ [AB]: ?(.*)")


def read_fisher(paths: Iterable[Path]) -> Iterator[str | LeftOut]:
    """Yield what is said, a turn at a time, or why a turn cannot be used.

    Raises:
        InputError: A file cannot be read, or holds something else.
    """
    for path in paths:
        for number, line in enumerate(read_text(path).split("\n"), start=1):
            if not line.strip() or line.startswith("#"):
                continue
            match = _LINE.fullmatch(line.strip())
            where = f"{path}:{number}"
            if match is None:
                raise InputError(
                    f"{where}: {line[:60]!r} is not as in Fisher's transcripts, "
                    "`0.00 1.90 A: text`; is it another version?"
                )
            yield _turn(match[1], where)


def _turn(text: str, where: str) -> str | LeftOut:
    try:
        words = normalize(text, CONVERSATION)
    except UnusableError as error:
        return LeftOut(where, where, str(error))
    return words or LeftOut(where, where, "no word is said")
