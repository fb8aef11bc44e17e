"""ARPA files: n-gram language models as text, as every toolkit writes them."""

import gzip
import logging
import math
import re
import zlib
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TextIO

import numpy as np

from asrkit.text.ngram.ngram_table import Floats, Ints, NgramTable, find_rows, row_keys
from asrkit.text.tokenizer import BOUNDARY, SPECIAL_PIECES, UNK_ID
from asrkit.utils.errors import InputError
from asrkit.utils.files import atomic_write

_BEGIN, _END = "<s>", "</s>"
_UNK_AS_WELL = "<UNK>"  # as some models over words write <unk>
_LN10 = math.log(10.0)
_ZERO = -99.0  # log10 of 0 as SRILM writes it; others write -inf
_NEVER = f"{_ZERO:g}"  # log10 P(<s>): <s> is read, never predicted
_COUNT = re.compile(r"ngram\s+(\d+)\s*=\s*(\d+)")
# As KenLM reads: a word may have other white space in it, such as U+00A0 in French.
_BLANKS = " \t\r\n"
_find_fields = re.compile(f"[^{_BLANKS}]+").findall
_EXAMPLES = 5  # words listed in a message
_LEFT_OUT = -1  # id of words whose n-grams are not kept

logger = logging.getLogger(__name__)


class OtherTokensError(InputError):
    """A model's words are not the tokens it should be over."""


def write_arpa(path: Path, table: NgramTable, tokens: Sequence[str]) -> None:
    """Write a model; a name that ends with .gz gives a packed file.

    Args:
        path: The file.
        table: The model.
        tokens: The piece of each token id, `Tokenizer.tokens`.
    """
    with atomic_write(path) as file:
        if path.suffix == ".gz":
            # Without name and time in its header the same model gives the same bytes.
            with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packed:
                _write_text(packed, table, tokens)
        else:
            _write_text(file, table, tokens)


def _write_text(
    file: IO[bytes] | gzip.GzipFile, table: NgramTable, tokens: Sequence[str]
) -> None:
    # The 1-gram of the boundary is two lines, <s> and </s>.
    counts = [len(rows) + (n == 0) for n, rows in enumerate(table.ngrams)]
    header = [f"ngram {n}={count}\n" for n, count in enumerate(counts, start=1)]
    file.write(("\\data\\\n" + "".join(header)).encode())
    for n in range(1, table.order + 1):
        file.write(f"\n\\{n}-grams:\n".encode())
        for line in _ngram_lines(table, n, tokens):
            file.write(line.encode())
    file.write(b"\n\\end\\\n")


def _ngram_lines(table: NgramTable, n: int, tokens: Sequence[str]) -> Iterator[str]:
    """Yield the lines of the n-grams of one order."""
    rows = table.ngrams[n - 1].tolist()
    log_probs = (table.log_probs[n - 1] / _LN10).tolist()
    if n < table.order:
        weights = [f"\t{x:.8g}" for x in (table.backoffs[n - 1] / _LN10).tolist()]
    else:
        weights = [""] * len(rows)
    for row, log_prob, weight in zip(rows, log_probs, weights, strict=True):
        words = [tokens[token] for token in row]
        if row[0] == BOUNDARY:
            words[0] = _BEGIN
            if n == 1:
                yield f"{_NEVER}\t{_BEGIN}{weight}\n"
        if row[-1] == BOUNDARY:
            words[-1] = _END
            weight = ""  # nothing comes after </s>
        yield f"{log_prob:.8g}\t{' '.join(words)}{weight}\n"


def read_arpa(path: Path, tokens: Sequence[str]) -> NgramTable:
    """Read a model of any order over the pieces of a tokenizer.

    Pieces that the file lacks are missing in the table, too.

    Args:
        path: The file; packed with gzip if its name ends with .gz.
        tokens: The piece of each token id, `Tokenizer.tokens`.

    Raises:
        InputError: The file cannot be read or is malformed, or its words are not
            pieces of the tokenizer.
    """
    with _open_text(path) as file:
        return _Reader(path, file, tokens).read()


def read_word_arpa(path: Path, words: Sequence[str]) -> NgramTable:
    """Read a model over words, as far as it is about words of a list.

    N-grams with other words are left out, which changes nothing for those of the list.
    <UNK> is <unk>.

    Args:
        path: The file; packed with gzip if its name ends with .gz.
        words: The word of each id, `WordList.tokens`.

    Raises:
        InputError: The file cannot be read or is malformed, or has no word of the list.
    """
    with _open_text(path) as file:
        return _WordReader(path, file, words).read()


@contextmanager
def _open_text(path: Path) -> Iterator[TextIO]:
    """Open a text file, packed or not."""
    try:
        opener = gzip.open if path.suffix == ".gz" else open
        with opener(path, "rt", encoding="utf-8") as file:
            yield file
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text; is it an ARPA file?") from error
    except (EOFError, zlib.error) as error:
        raise InputError(f"{path} is damaged ({error}); write it again") from error
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error


_Columns = tuple[Ints, Floats, Floats]  # rows, log10 of probabilities and weights


class _Words(dict[str, int]):
    """Ids of the words of 1-grams; lists the words that are no pieces."""

    def __init__(self, tokens: Sequence[str]) -> None:
        super().__init__({piece: i for i, piece in enumerate(tokens) if i > 0})
        # An id of its own until its weight is joined with the probability of </s>.
        self.update({_END: BOUNDARY, _BEGIN: len(tokens)})
        self.unknown: list[str] = []

    def __missing__(self, word: str) -> int:
        self[word] = len(self)
        self.unknown.append(word)
        return self[word]


class _Reader:
    """Reads one file from top to bottom."""

    def __init__(self, path: Path, file: TextIO, tokens: Sequence[str]) -> None:
        self._path = path
        self._file = file
        self._tokens = tokens
        self._number = 0  # of the line that was read last
        self._keys: list[Ints] = []  # of each order so far, see `table_keys`
        self._other: dict[str, int] = {}  # words that are no tokens

    def read(self) -> NgramTable:
        """Read the whole file."""
        counts, line = self._header()
        table = NgramTable([], [], [])
        for n, count in enumerate(counts, start=1):
            self._expect(f"\\{n}-grams:", line)
            weighted = n < len(counts)
            if n == 1:
                columns = self._unigrams(count, weighted)
            else:
                words = self._words_at(n, table.ngrams[0][:, 0].tolist())
                columns = self._section(words, count, weighted)
            table.ngrams.append(columns[0])
            table.log_probs.append(columns[1] * _LN10)
            if weighted:
                table.backoffs.append(columns[2] * _LN10)
            line = self._text()
        self._expect("\\end\\", line)
        return table

    def _header(self) -> tuple[list[int], str]:
        """Read how many n-grams of each order follow, and the first line after that."""
        while self._line() != "\\data\\":
            pass  # what comes before is a comment
        counts: list[int] = []
        line = self._text()
        while match := _COUNT.fullmatch(line):
            if int(match[1]) != len(counts) + 1:
                raise self._error(f"found {line!r}, expected order {len(counts) + 1}")
            counts.append(int(match[2]))
            line = self._text()
        if not counts:
            raise self._error(f"found {line!r}, expected 'ngram 1=COUNT'")
        return counts, line

    def _unigrams(self, count: int, weighted: bool) -> _Columns:
        """Read the 1-grams; join <s> and </s>, which come first and last, as id 0."""
        words = self._numbers()
        rows, log_probs, weights = self._section([words], count, weighted)
        known = set(rows[:, 0].tolist())
        lacking = [
            p for i, p in enumerate(self._tokens) if i > UNK_ID and i not in known
        ]
        self._check(words.unknown, lacking, count)
        for symbol in (_BEGIN, _END):
            if words[symbol] not in known:
                raise self._error(f"{symbol} is not among the 1-grams")
        # <s> comes behind all tokens and before what is left out.
        last = int(np.searchsorted(rows[:, 0], words[_BEGIN]))
        self._keys[0] = self._keys[0][:last]
        weights[0] = weights[last]
        self._other = dict.fromkeys(words.unknown, _LEFT_OUT)
        return rows[:last], log_probs[:last], weights[:last]

    def _numbers(self) -> _Words:
        """Return the ids of the words of 1-grams."""
        return _Words(self._tokens)

    def _check(self, other: list[str], lacking: list[str], count: int) -> None:
        """Compare the words of a file with the tokens.

        Args:
            other: Words of the file that are no tokens.
            lacking: Tokens that the file lacks.
            count: Words of the file.
        """
        if other:
            raise OtherTokensError(
                f"{self._path} is a model of another tokenizer: "
                f"{len(other)} of its {count} words are no pieces of this one, "
                f"such as {other[:_EXAMPLES]}; train one with scripts/train_ngram.py"
            )
        if lacking:
            logger.warning(
                "%s lacks %d of %d pieces, such as %s; they get the probability of %s",
                *(self._path, len(lacking), len(self._tokens), lacking[:_EXAMPLES]),
                self._tokens[UNK_ID],
            )

    def _words_at(self, n: int, known: list[int]) -> list[dict[str, int]]:
        """Return the ids of the words that each position of an n-gram may have."""
        inner = {self._tokens[i]: i for i in known if i != BOUNDARY} | self._other
        first, last = inner | {_BEGIN: BOUNDARY}, inner | {_END: BOUNDARY}
        return [first, *[inner] * (n - 2), last]

    def _section(
        self, words: Sequence[dict[str, int]], count: int, weighted: bool
    ) -> _Columns:
        """Read the n-grams of one order and sort them.

        Args:
            words: Ids of the words at each position, n of them.
            count: How many n-grams there are.
            weighted: Whether they may have back-off weights other than 0.
        """
        n = len(words)
        ids, log_probs, weights = array("q"), array("d"), array("d")
        start = self._number + 1
        for done in range(count):
            line = self._line()
            # The faster way finds the same where there is no other white space.
            fields = line.split() if line.isascii() else _find_fields(line)
            if not n + 1 <= len(fields) <= n + 2:
                raise self._not_an_ngram(line, n, count - done)
            try:
                log_probs.append(float(fields[0]))
                weights.append(float(fields[n + 1]) if len(fields) > n + 1 else 0.0)
                ids.extend([at[w] for at, w in zip(words, fields[1:], strict=False)])
            except ValueError as error:
                raise self._error(f"{error} in {line!r}") from error
            except KeyError as error:
                raise self._error(
                    f"{error} is not among the 1-grams, or <s> does not stand first "
                    f"or </s> not last, in {line!r}"
                ) from error
        rows = np.array(ids, dtype=np.int64).reshape(-1, n)
        logs, backoffs = np.array(log_probs), np.array(weights)
        logs[np.isneginf(logs)] = _ZERO
        if not weighted and backoffs.any():
            raise self._error(
                "an n-gram of the highest order has a back-off weight that is not 0",
                start + int(backoffs.astype(bool).argmax()),
            )
        kept = (rows != _LEFT_OUT).all(axis=1)
        columns = rows[kept], logs[kept], backoffs[kept]
        return self._sort(columns, start + np.flatnonzero(kept))

    def _sort(self, columns: _Columns, lines: Ints) -> _Columns:
        """Check n-grams, which are in these lines, and sort them."""
        rows, log_probs, weights = columns
        places = find_rows(self._keys, rows[:, :-1], len(self._tokens))
        keys = row_keys(places, rows[:, -1], len(self._tokens))
        order = np.argsort(keys, kind="stable")
        twice = np.zeros(len(rows), dtype=bool)
        twice[order[1:]] = keys[order[1:]] == keys[order[:-1]]
        for wrong, message in (
            (places < 0, "the n-gram without its last word is not in the order below"),
            (twice, "the n-gram comes twice"),
            (~(np.isfinite(log_probs) & (log_probs <= 0)), "no log10 of a probability"),
            (~np.isfinite(weights), "no log10 of a back-off weight"),
        ):
            if wrong.any():
                raise self._error(message, int(lines[wrong.argmax()]))
        self._keys.append(keys[order])
        return rows[order], log_probs[order], weights[order]

    def _line(self) -> str:
        """Return the next line."""
        line = self._file.readline()
        if not line:
            raise InputError(
                f"{self._path} ends in line {self._number} without \\data\\ or "
                "\\end\\; is it a whole ARPA file?"
            )
        self._number += 1
        return line.strip(_BLANKS)

    def _text(self) -> str:
        """Return the next line that is not blank."""
        while not (line := self._line()):
            pass
        return line

    def _expect(self, wanted: str, line: str) -> None:
        if line != wanted:
            raise self._error(
                f"found {line!r}, expected {wanted}; are the counts at the top right?"
            )

    def _not_an_ngram(self, line: str, n: int, left: int) -> InputError:
        if not line or line.startswith("\\"):
            return self._error(f"{left} {n}-grams fewer than the counts at the top say")
        wanted = f"a number, {n} words and maybe a number"
        return self._error(f"expected {wanted}, found {line!r}")

    def _error(self, message: str, number: int | None = None) -> InputError:
        return InputError(f"{self._path}, line {number or self._number}: {message}")


class _WordReader(_Reader):
    """Reads a model over words, those of a lexicon and others."""

    def _numbers(self) -> _Words:
        words = super()._numbers()
        words.setdefault(_UNK_AS_WELL, UNK_ID)
        return words

    def _words_at(self, n: int, known: list[int]) -> list[dict[str, int]]:
        unk = {_UNK_AS_WELL: UNK_ID} if UNK_ID in known else {}
        return [unk | words for words in super()._words_at(n, known)]

    def _check(self, other: list[str], lacking: list[str], count: int) -> None:
        total = len(self._tokens) - len(SPECIAL_PIECES)
        if len(lacking) == total:
            raise InputError(
                f"{self._path} is a model over other words: it has words such as "
                f"{other[:_EXAMPLES]}, and none of the lexicon's, such as "
                f"{lacking[:_EXAMPLES]}; both have to be written alike"
            )
        if other:
            logger.info(
                "%s: %d of its %d words are not in the lexicon and left out, such as "
                "%s",
                *(self._path, len(other), count, other[:_EXAMPLES]),
            )
        if lacking:
            logger.warning(
                "%s lacks %d of the lexicon's %d words, such as %s; they get the "
                "probability of <unk>, 1e-100 if there is none",
                *(self._path, len(lacking), total, lacking[:_EXAMPLES]),
            )
